import assert from "node:assert/strict";
import { test } from "node:test";
import { Type } from "typebox";
import type { Context } from "../context/index.ts";
import { api, del, get, patch, post } from "../contract/index.ts";
import { eventually } from "../testing/index.ts";
import { type HandlersOf, implement } from "./implement.ts";
import { serve } from "./server.suite.ts";

const ById = Type.Object({ id: Type.String({ minLength: 2 }) });
const Note = Type.Object({
  text: Type.String({ minLength: 1 }),
  meta: Type.Object({ stars: Type.Integer({ maximum: 5 }) }),
});
const Stored = Type.Object({ id: Type.String(), text: Type.String(), version: Type.Integer() });

const notesApi = api("notes", {
  list: get("/notes", { query: Type.Object({ limit: Type.Integer({ minimum: 1 }) }), reply: Type.Array(Stored) }),
  read: get("/notes/{id}", { params: ById, reply: Stored, version: "version", errors: ["not_found"] }),
  add: post("/notes", { body: Note, status: 201, reply: Stored, version: "version", location: "/notes/{id}" }),
  change: patch("/notes/{id}", {
    params: ById,
    body: Type.Partial(Note),
    ifMatch: true,
    reply: Stored,
    version: "version",
  }),
  remove: del("/notes/{id}", { params: ById, ifMatch: true }),
  accept: post("/accept", { status: 202 }),
  slow: get("/slow", { timeoutMs: 20 }),
});

const stored = { id: "n/1", text: "a", version: 3, secret: "secret" };

/** Serves the notes, and collects what reached the handlers. */
async function serveNotes(t: Parameters<typeof serve>[0], changed: Partial<HandlersOf<typeof notesApi>> = {}) {
  const inputs: unknown[] = [];
  const give = async (_ctx: Context, input: unknown) => {
    inputs.push(input);
    return stored;
  };
  const routes = implement(notesApi, {
    list: async (ctx, input) => [await give(ctx, input)],
    read: give,
    add: give,
    change: give,
    remove: async (ctx, input) => void (await give(ctx, input)),
    accept: async () => {},
    slow: (ctx) => new Promise((_resolve, reject) => ctx.onDone(reject)),
    ...changed,
  });
  return { ...(await serve(t, routes)), inputs };
}

test("a handler gets the parts that its operation declares, read and checked, and nothing else", async (t) => {
  const { request, inputs } = await serveNotes(t);
  await request({ path: "/notes?limit=7" });
  await request({ path: "/notes/a%20b" });
  await request({ method: "POST", path: "/notes", json: { text: "a", meta: { stars: 1 } } });
  await request({ method: "PATCH", path: "/notes/ab", json: { text: "b" }, headers: { "if-match": '"3", "4"' } });
  await request({ method: "DELETE", path: "/notes/ab" });
  await request({ method: "DELETE", path: "/notes/ab", headers: { "if-match": "*" } });
  assert.deepEqual(
    inputs.map((input) => ({ ...(input as object) })),
    [
      { query: { limit: 7 } },
      { params: { id: "a b" } },
      { body: { text: "a", meta: { stars: 1 } } },
      { params: { id: "ab" }, expected: [3, 4], body: { text: "b" } },
      { params: { id: "ab" }, expected: undefined },
      { params: { id: "ab" }, expected: undefined },
    ],
  );
});

test("what breaks the contract reaches no handler, and is told by part, field and rule", async (t) => {
  const { request, inputs } = await serveNotes(t);
  const told = async (asked: Parameters<typeof request>[0]) => {
    const { status, body } = await request(asked);
    assert.equal(status, 400);
    const { errors = [] } = JSON.parse(body);
    return errors.map(
      (error: { in: string; field: string; rule: string }) => `${error.in} ${error.field} ${error.rule}`,
    );
  };
  assert.deepEqual(await told({ path: "/notes" }), ["query limit required"]);
  assert.deepEqual(await told({ path: "/notes?limit=0" }), ["query limit minimum"]);
  assert.deepEqual(await told({ path: "/notes?limit=a" }), ["query limit type"]);
  assert.deepEqual(await told({ path: "/notes/a?x=1" }), ["path id minLength", "query x additionalProperties"]);
  assert.deepEqual(await told({ method: "POST", path: "/notes", json: { text: "", meta: { stars: 6 } } }), [
    "body text minLength",
    "body meta.stars maximum",
  ]);
  assert.deepEqual(await told({ method: "POST", path: "/notes" }), ["body  required"]);
  assert.deepEqual(await told({ method: "DELETE", path: "/notes/ab", headers: { "if-match": "3" } }), [
    "header if-match syntax",
  ]);
  assert.deepEqual(inputs, []);
});

test("a reply is cut down to its declaration, and has its status, tag and place", async (t) => {
  const { request } = await serveNotes(t);
  const added = await request({ method: "POST", path: "/notes", json: { text: "a", meta: { stars: 1 } } });
  assert.deepEqual([added.status, added.headers.location, added.headers.etag], [201, "/notes/n%2F1", '"3"']);
  assert.deepEqual(added.json(), { id: "n/1", text: "a", version: 3 });
  assert.deepEqual((await request({ path: "/notes?limit=1" })).json(), [{ id: "n/1", text: "a", version: 3 }]);
  const removed = await request({ method: "DELETE", path: "/notes/ab" });
  assert.deepEqual([removed.status, removed.body, removed.headers["content-type"]], [204, "", undefined]);
  assert.equal((await request({ method: "POST", path: "/accept" })).status, 202);
});

test("a caller that knows the version is told that it is unchanged", async (t) => {
  const { request } = await serveNotes(t);
  const ask = (method: string, tags: string) =>
    request({ method, path: "/notes/ab", headers: { "if-none-match": tags }, ...(method === "PATCH" && { json: {} }) });
  for (const method of ["GET", "HEAD"]) {
    for (const tags of ['"3"', 'W/"3"', '"1", "3"', "*"]) {
      const { status, headers, body } = await ask(method, tags);
      assert.deepEqual([status, headers.etag, body], [304, '"3"', ""]);
      assert.deepEqual([headers["content-type"], headers["content-length"]], [undefined, undefined]);
    }
    assert.equal((await ask(method, '"4"')).status, 200);
    assert.equal((await ask(method, "3")).status, 400);
  }
  assert.equal((await ask("PATCH", '"3"')).status, 200);
});

test("an operation's own time limit applies", async (t) => {
  const { request } = await serveNotes(t);
  assert.equal((await request({ path: "/slow" })).status, 504);
});

test("a handler that forgets its reply is a bug, and is not answered with nothing", async (t) => {
  const forget = (async () => undefined) as unknown as HandlersOf<typeof notesApi>["list"];
  const { request, lines } = await serveNotes(t, { list: forget });
  assert.equal((await request({ path: "/notes?limit=1" })).status, 500);
  await eventually(() => lines.some(({ level }) => level === "error"));
});

test("handlers that do not fit their contract do not compile", () => {
  const tiny = api("tiny", { read: get("/{id}", { params: ById, reply: Stored }) });
  implement(tiny, { read: async (_ctx, { params }) => ({ id: params.id, text: "", version: 1 }) });
  // @ts-expect-error: an operation without a handler
  void (() => implement(tiny, {}));
  // @ts-expect-error: a reply without a field
  void (() => implement(tiny, { read: async () => ({ id: "", text: "" }) }));
  // @ts-expect-error: a part that the operation does not declare
  void (() => implement(tiny, { read: async (_ctx, { body }) => body }));
  // @ts-expect-error: a handler without an operation
  void (() => implement(tiny, { read: async () => stored, write: async () => stored }));
});
