import assert from "node:assert/strict";
import { test } from "node:test";
import { Type } from "typebox";
import { api, type Once, post, type RequestClaim } from "../contract/index.ts";
import { AppError } from "../errors/index.ts";
import type { TestScope } from "../testing/index.ts";
import { implement } from "./implement.ts";
import { type Middleware, routeGroup } from "./route.ts";
import { serve } from "./server.suite.ts";

const Thing = Type.Object({ id: Type.String(), version: Type.Integer() });
const things = api("things", {
  make: post("/things/{kind}", {
    params: Type.Object({ kind: Type.String() }),
    body: Type.Object({ name: Type.String(), size: Type.Optional(Type.Integer()) }),
    status: 201,
    reply: Thing,
    version: "version",
    location: "/things/{id}",
    idempotent: true,
  }),
});

type Kept = { readonly fingerprint: string; readonly reply: string };

/** What a store does, in a map. */
function transact<T>(kept: Map<string, Kept>, once: Once<T>, work: () => T): T {
  const claim = once.take();
  assert.ok(claim?.kind !== "message");
  const name = JSON.stringify([claim?.principal, claim?.operation, claim?.key]);
  const before = claim && kept.get(name);
  if (before !== undefined && before.fingerprint !== claim?.fingerprint) once.refuseMismatch();
  if (before?.reply === "") once.refuseBusy();
  if (before !== undefined) once.replay(before.reply);
  const result = work();
  if (claim !== undefined) kept.set(name, { fingerprint: claim.fingerprint, reply: once.encode(result) });
  return result;
}

const named: Middleware = (next) => (ctx, request) => {
  request.principal = request.headers["x-user"]?.toString();
  return next(ctx, request);
};

async function makeThings(t: TestScope, take = true) {
  const kept = new Map<string, Kept>();
  let made = 0;
  const routes = implement(things, {
    make: async (_ctx, { body, once }) => {
      if (body.name === "taken") throw new AppError("conflict", "it is taken");
      const promise = once.replying((id: string) => ({ id, version: 1 }));
      return { id: take ? transact(kept, promise, () => `${++made}`) : "untaken", version: 1 };
    },
  });
  const { request, lines } = await serve(t, routeGroup({ use: [named] }, routes));
  const make = (json: unknown, headers: Record<string, string> = {}, kind = "a") =>
    request({ method: "POST", path: `/things/${kind}`, json, headers });
  return { make, kept, lines, made: () => made };
}

const KEY = { "idempotency-key": '"k"' };

test("the same key and request get the same reply, status, headers and all, and the work runs once", async (t) => {
  const { make, made } = await makeThings(t);
  const first = await make({ name: "x", size: 1 }, KEY);
  const again = await make({ size: 1, name: "x" }, KEY);
  assert.deepEqual([first.status, again.status, again.body, made()], [201, 201, first.body, 1]);
  for (const name of ["etag", "location", "content-type", "cache-control"]) {
    assert.equal(again.headers[name], first.headers[name], name);
  }
  assert.equal(first.headers["idempotency-replayed"], undefined);
  assert.equal(again.headers["idempotency-replayed"], "true");
});

test("without a key each request is one of its own", async (t) => {
  const { make, made } = await makeThings(t);
  await make({ name: "x" });
  await make({ name: "x" });
  assert.equal(made(), 2);
});

test("another body or path under the same key is 422, and one that is under way is 409 with a time to come back", async (t) => {
  const { make, kept, made } = await makeThings(t);
  await make({ name: "x" }, KEY);
  assert.equal((await make({ name: "y" }, KEY)).status, 422);
  assert.equal((await make({ name: "x" }, KEY, "b")).status, 422);
  for (const [name, { fingerprint }] of kept) kept.set(name, { fingerprint, reply: "" });
  const busy = await make({ name: "x" }, KEY);
  assert.equal(busy.status, 409);
  assert.match(String(busy.headers["retry-after"]), /^\d+$/);
  assert.equal(made(), 1);
});

test("a key belongs to its principal: another one's is another key", async (t) => {
  const { make, kept, made } = await makeThings(t);
  await make({ name: "x" }, { ...KEY, "x-user": "ada" });
  await make({ name: "y" }, { ...KEY, "x-user": "bob" });
  assert.equal(made(), 2);
  const claims = [...kept.keys()].map((name) => JSON.parse(name) as Pick<RequestClaim, "principal">[]);
  assert.deepEqual(claims, [
    ["ada", "POST /things/{kind}", "k"],
    ["bob", "POST /things/{kind}", "k"],
  ]);
});

test("a key that is none is 400, and a failure is kept by nobody", async (t) => {
  const { make, kept } = await makeThings(t);
  const refused = await make({ name: "x" }, { "idempotency-key": "two words" });
  assert.equal(refused.status, 400);
  assert.match(refused.body, /must be one key of 1 to 255 visible characters/);
  assert.equal((await make({ name: "taken" }, KEY)).status, 409);
  assert.equal(kept.size, 0);
});

test("a promise that no transaction took is a bug, whether there is a key or not", async (t) => {
  const { make, lines } = await makeThings(t, false);
  assert.equal((await make({ name: "x" })).status, 500);
  assert.equal((await make({ name: "x" }, KEY)).status, 500);
  assert.equal(lines.filter(({ msg }) => msg === "request failed").length, 2);
});
