import assert from "node:assert/strict";
import { test } from "node:test";
import { Type } from "typebox";
import { api, get as getOperation, Problem, post as postOperation, validator } from "../contract/index.ts";
import { AppError, type ErrorCode } from "../errors/index.ts";
import { eventually, type RawResponse, rawConnection, rawRequest, splitResponses } from "../testing/index.ts";
import { implement } from "./implement.ts";
import { get, ping, post, route, serve } from "./server.suite.ts";

const LAST = "Connection: close";
const { accepts: isProblem } = validator(Problem);

const reads = route("POST", "/read", async (_ctx, request) => ({
  status: 200,
  body: String(await request.readBody()),
}));

/** What an inside must never look like from outside. */
const INSIDE = /secret|select |at .*:\d+:\d+|node:|\.ts|127\.0\.0\.1|stack|Error:/;

function assertProblem(response: RawResponse | undefined, status: number): void {
  assert.equal(response?.status, status);
  assert.equal(response.headers["content-type"], "application/problem+json; charset=utf-8");
  assert.equal(response.headers["cache-control"], "no-store");
  assert.equal(response.headers["x-content-type-options"], "nosniff");
  const problem: unknown = JSON.parse(String(response.body));
  assert.ok(isProblem(problem), String(response.body));
  assert.ok(typeof problem === "object" && problem !== null && "instance" in problem);
  assert.equal(problem.instance, response.headers["x-request-id"]);
  assert.doesNotMatch(String(response.body), INSIDE);
}

test("F29: every code is a problem document of its status, with the request's id and nothing of the inside", async (t) => {
  const codes: Readonly<Record<ErrorCode, number>> = {
    invalid: 400,
    unauthenticated: 401,
    forbidden: 403,
    not_found: 404,
    conflict: 409,
    stale: 412,
    rate_limited: 429,
    canceled: 499,
    timeout: 504,
    unavailable: 503,
    internal: 500,
  };
  const { port } = await serve(t, [
    route("GET", "/fail/{code}", async (_ctx, { params }) => {
      throw new AppError(params.code as ErrorCode, params.code === "internal" ? "secret" : "it went so", {
        cause: new Error("select secret from secrets"),
        fields: { secret: "secret" },
        retryAfterMs: 2500,
      });
    }),
  ]);
  for (const [code, status] of Object.entries(codes)) {
    const [answer] = (await rawRequest(port, get(`/fail/${code}`, LAST))).responses;
    assertProblem(answer, status);
    const problem = JSON.parse(String(answer?.body));
    assert.deepEqual([problem.code, problem.detail], [code, code === "internal" ? undefined : "it went so"]);
    assert.match(String(answer?.headers["retry-after"]), /^[3-7]$/);
    if (status === 401) assert.equal(answer?.headers["www-authenticate"], "Bearer");
  }
});

test("F29: what never reaches a handler is a problem document too", async (t) => {
  const { port } = await serve(t, [ping(), reads]);
  const cases: readonly (readonly [number, string])[] = [
    [400, get("/ping", "Host: b")],
    [400, "nonsense\r\n\r\n"],
    [404, get("/nowhere", LAST)],
    [405, post("/ping", "", LAST)],
    [413, "POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;".padEnd(20_000, "x")],
    [414, get(`/${"x".repeat(9000)}`, LAST)],
    [417, get("/ping", "Expect: more", LAST)],
    [431, get("/ping", `X: ${"x".repeat(20_000)}`, LAST)],
    [501, get("/ping", LAST).replace("GET", "BREW")],
    [501, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"],
    [505, get("/ping").replace("1.1", "2.0")],
  ];
  for (const [status, bytes] of cases) {
    const { responses, rest } = await rawRequest(port, bytes);
    assert.deepEqual([responses.length, rest.length], [1, 0], bytes.slice(0, 60));
    assertProblem(responses[0], status);
  }
});

test("F29: an answer that comes of time is a problem document too", async (t) => {
  const { port } = await serve(t, [reads], { readTimeoutMs: 100 });
  const client = rawConnection(t, port);
  client.send(post("/read", "half").slice(0, -1));
  await eventually(() => splitResponses(client.received).responses.length === 1);
  assertProblem(splitResponses(client.received).responses[0], 408);
});

test("F30: answers carry no more than they must, and are not kept or guessed at", async (t) => {
  const Thing = Type.Object({ name: Type.String(), version: Type.Integer() });
  const things = api("things", {
    plain: getOperation("/plain", { reply: Type.Object({ name: Type.String() }) }),
    versioned: getOperation("/versioned", { reply: Thing, version: "version" }),
    empty: postOperation("/empty", {}),
  });
  const { request } = await serve(
    t,
    implement(things, {
      plain: async () => ({ name: "a" }),
      versioned: async () => ({ name: "a", version: 3 }),
      empty: async () => {},
    }),
  );
  const expected = {
    "/plain": "no-store",
    "/versioned": "private, no-cache",
    "/nowhere": "no-store",
    "/livez": "no-store",
  };
  for (const [path, cacheControl] of Object.entries(expected)) {
    const { headers } = await request({ path, headers: { origin: "https://evil.example" } });
    assert.equal(headers["cache-control"], cacheControl, path);
    assert.match(String(headers["content-type"]), /^application\/(problem\+)?json; charset=utf-8$/);
    assert.equal(headers["x-content-type-options"], "nosniff");
    for (const name of ["x-powered-by", "server", "access-control-allow-origin", "vary"])
      assert.equal(headers[name], undefined);
  }
  assert.equal((await request({ method: "POST", path: "/empty" })).headers["cache-control"], "no-store");
});

const Item = Type.Object({ name: Type.String() });

const items = api("items", {
  list: getOperation("/items", {
    query: Type.Object({ limit: Type.Optional(Type.Integer()), tag: Type.Optional(Type.Array(Type.String())) }),
    reply: Type.Array(Item),
  }),
  add: postOperation("/items", { body: Item, reply: Item, status: 201 }),
  read: getOperation("/items/{id}", { params: Type.Object({ id: Type.String() }), reply: Item }),
});

test("F24: a parameter or field that the contract does not know is refused by its name", async (t) => {
  const taken: unknown[] = [];
  const { request } = await serve(
    t,
    implement(items, {
      list: async () => [],
      add: async (_ctx, { body }) => {
        taken.push(body);
        return body;
      },
      read: async () => ({ name: "a" }),
    }),
  );
  const replies = [
    await request({ path: "/items?limit=1&isAdmin=true" }),
    await request({ path: "/items/7?isAdmin=true" }),
    await request({ method: "POST", path: "/items", json: { name: "a", isAdmin: true } }),
    await request({ method: "POST", path: "/items?isAdmin=true", json: { name: "a" } }),
  ];
  for (const { status, body } of replies) {
    assert.equal(status, 400);
    const { errors } = JSON.parse(body);
    assert.deepEqual(
      errors.map(({ field, detail }: { field: string; detail: string }) => `${field} ${detail}`),
      ["isAdmin is not a known field"],
    );
  }
  const long = await request({ path: `/items?${"x".repeat(5000)}=1` });
  assert.ok(long.body.length < 500);
  assert.deepEqual(taken, []);
});

test("F25: a parameter that is given twice is refused, unless it is a list", async (t) => {
  const queries: unknown[] = [];
  const { request } = await serve(
    t,
    implement(items, {
      list: async (_ctx, { query }) => {
        queries.push(query);
        return [];
      },
      add: async (_ctx, { body }) => body,
      read: async () => ({ name: "a" }),
    }),
  );
  for (const path of [
    "/items?limit=1&limit=2",
    "/items?limit=1&limit=1",
    "/items?limit=1&%6cimit=2",
    "/items?limit&limit",
  ]) {
    assert.equal((await request({ path })).status, 400, path);
  }
  assert.equal((await request({ path: "/items?tag=a&limit=1&tag=b+c&tag=%26" })).status, 200);
  assert.deepEqual(queries, [{ tag: ["a", "b c", "&"], limit: 1 }]);
});
