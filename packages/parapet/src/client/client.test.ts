import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import test, { type TestContext } from "node:test";
import { Type } from "typebox";
import { withTimeout } from "../context/index.ts";
import { api, del, get, patch, post } from "../contract/index.ts";
import { AppError, hasCode, isOutcomeUnknown } from "../errors/index.ts";
import { createRegistry } from "../metrics/index.ts";
import { testContext } from "../testing/test-context.ts";
import { type ClientOptions, createClient } from "./client.ts";

const Thing = Type.Object({ id: Type.String(), n: Type.Integer(), version: Type.Integer() });
const ById = Type.Object({ id: Type.String() });
const Page = Type.Object({ limit: Type.Optional(Type.Integer()), tag: Type.Optional(Type.Array(Type.String())) });
const thingsApi = api("things", {
  listThings: get("/api/things", { query: Page, reply: Type.Array(Thing) }),
  getThing: get("/api/things/{id}", { params: ById, reply: Thing, errors: ["not_found"] }),
  makeThing: post("/api/things", {
    body: Type.Object({ n: Type.Integer() }),
    status: 201,
    reply: Thing,
    idempotent: true,
  }),
  countThing: post("/api/things/{id}/count", { params: ById, reply: Thing }),
  changeThing: patch("/api/things/{id}", {
    params: ById,
    body: Type.Object({ n: Type.Integer() }),
    ifMatch: true,
    reply: Thing,
  }),
  dropThing: del("/api/things/{id}", { params: ById, status: 204 }),
});
const THING = { id: "a b/c", n: 1, version: 3 };

interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A service that answers as the test says, and remembers what it was asked. */
async function bench(t: TestContext, answer: RequestListener, options: Partial<ClientOptions> = {}) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const body = await text(request).catch(() => "");
    received.push({ method: request.method ?? "", path: request.url ?? "", headers: request.headers, body });
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const ctx = testContext();
  const registry = createRegistry();
  const baseUrl = `http://127.0.0.1:${port}`;
  const client = createClient(thingsApi, { baseUrl, log: ctx.log, metrics: registry, ...options });
  await client.start(ctx);
  t.after(async () => {
    await client.stop(testContext());
    server.closeAllConnections();
    server.close();
  });
  return { client, ctx, received, server, port, registry };
}

function json(response: ServerResponse, value: unknown, status = 200, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers });
  response.end(JSON.stringify(value));
}

function problem(response: ServerResponse, status: number, of: Record<string, unknown>, headers = {}): void {
  const body = { type: "about:blank", title: "T", status, detail: "as told", instance: "request-7", ...of };
  response.writeHead(status, { "content-type": "application/problem+json; charset=utf-8", ...headers });
  response.end(JSON.stringify(body));
}

test("a call is what its contract says: path, query, body and headers out, the reply back", async (t) => {
  const { client, ctx, received } = await bench(t, ({ method, url }, response) => {
    if (method === "DELETE") response.writeHead(204).end();
    else if (url?.startsWith("/api/things?")) json(response, [THING]);
    else json(response, { ...THING, newer: true }, method === "POST" && url === "/api/things" ? 201 : 200);
  });
  assert.deepEqual(await client.listThings(ctx, { query: { limit: 2, tag: ["a&b", "ü"] } }), [THING]);
  assert.deepEqual(await client.getThing(ctx, { params: { id: "a b/c" } }), { ...THING, newer: true });
  await client.makeThing(ctx, { body: { n: 1 }, idempotencyKey: "key-1" });
  await client.changeThing(ctx, { params: { id: "1" }, body: { n: 2 }, expected: 3 });
  assert.equal(await client.dropThing(ctx, { params: { id: "1" } }), undefined);
  assert.deepEqual(
    received.map(({ method, path, body, headers }) => [method, path, body, headers["content-type"]]),
    [
      ["GET", "/api/things?limit=2&tag=a%26b&tag=%C3%BC", "", undefined],
      ["GET", "/api/things/a%20b%2Fc", "", undefined],
      ["POST", "/api/things", '{"n":1}', "application/json"],
      ["PATCH", "/api/things/1", '{"n":2}', "application/json"],
      ["DELETE", "/api/things/1", "", undefined],
    ],
  );
  assert.equal(received[2]?.headers["idempotency-key"], '"key-1"');
  assert.equal(received[3]?.headers["if-match"], '"3"');
});

test("a base URL may have a path, and what is no URL of a service is refused", async (t) => {
  const { port, ctx, received } = await bench(t, (_, response) => json(response, THING));
  const options = { log: ctx.log, metrics: createRegistry() };
  const client = createClient(thingsApi, { ...options, baseUrl: `http://127.0.0.1:${port}/things/` });
  t.after(() => client.stop(ctx).then(() => {}));
  await client.getThing(ctx, { params: { id: "1" } });
  assert.equal(received[0]?.path, "/things/api/things/1");
  for (const baseUrl of ["", "users", "ftp://users", "http://user@users", "http://users/?a=b"])
    assert.throws(() => createClient(thingsApi, { ...options, baseUrl }), /a client needs the URL of its service/);
});

test("an operation that has the name of a component's part is refused", () => {
  const odd = api("odd", { start: get("/start", {}) });
  const options = { baseUrl: "http://127.0.0.1:1", log: testContext().log, metrics: createRegistry() };
  assert.throws(() => createClient(odd, options), /an operation can't be named so/);
});

test("a service is told how long it has: less than the caller, and half of it where there may be another attempt", async (t) => {
  const { client, ctx, received } = await bench(t, ({ method }, response) =>
    json(response, THING, method === "GET" ? 200 : 201),
  );
  await withTimeout(ctx, 1000, (ctx) => client.getThing(ctx, { params: { id: "1" } }));
  await withTimeout(ctx, 60_000, (ctx) => client.countThing(ctx, { params: { id: "1" } }).catch(() => {}));
  const [read = 0, counted = 0] = received.map(({ headers }) => Number(headers["x-envoy-expected-rq-timeout-ms"]));
  assert.ok(read > 400 && read <= 475, `${read} ms`);
  assert.ok(counted > 1900 && counted <= 2000, `${counted} ms`);
  assert.equal(received[0]?.headers["grpc-timeout"], `${read}m`);
});

test("a call is not begun when its caller has no time left", async (t) => {
  const { client, ctx, received } = await bench(t, (_, response) => json(response, THING));
  await assert.rejects(
    withTimeout(ctx, 50, (ctx) => client.getThing(ctx, { params: { id: "1" } })),
    (thrown) => hasCode(thrown, "timeout"),
  );
  assert.deepEqual(received, []);
});

for (const [status, code] of [
  [400, "invalid"],
  [401, "unauthenticated"],
  [403, "forbidden"],
  [404, "not_found"],
  [409, "conflict"],
  [412, "stale"],
  [429, "rate_limited"],
  [504, "timeout"],
] as const) {
  test(`a problem comes back as the error that it is: ${code}`, async (t) => {
    const errors = [{ in: "body", field: "n", rule: "minimum", detail: "must be more" }];
    const { client, ctx } = await bench(t, (_, response) => problem(response, status, { code, errors }));
    await assert.rejects(client.countThing(ctx, { params: { id: "1" } }), (thrown) => {
      assert.ok(hasCode(thrown, code));
      assert.deepEqual([thrown.message, thrown.violations], ["as told", errors]);
      assert.deepEqual([thrown.fields.dependency, thrown.fields.instance], ["things", "request-7"]);
      return true;
    });
  });
}

test("a bug of the service, and an operation that it does not have, are a service that is away", async (t) => {
  const answers = [
    (response: ServerResponse) => problem(response, 500, { code: "internal" }),
    (response: ServerResponse) =>
      problem(response, 404, { code: "not_found", type: "urn:parapet:problem:no-such-operation" }),
  ];
  for (const answer of answers) {
    const { client, ctx } = await bench(t, (_, response) => answer(response));
    await assert.rejects(client.countThing(ctx, { params: { id: "1" } }), (thrown) => hasCode(thrown, "unavailable"));
  }
});

for (const [what, answer] of [
  ["another's 404", (response: ServerResponse) => json(response, { code: "not_found" }, 404)],
  ["a redirect", (response: ServerResponse) => response.writeHead(302, { location: "/api/elsewhere" }).end()],
  ["a success that was not agreed", (response: ServerResponse) => json(response, THING, 202)],
  ["HTML", (response: ServerResponse) => response.writeHead(200, { "content-type": "text/html" }).end("<html>")],
  ["a reply that breaks its contract", (response: ServerResponse) => json(response, { ...THING, n: "secret" })],
  ["text that is no UTF-8", (response: ServerResponse) => response.end(Buffer.from([0x22, 0xff, 0x22]))],
  ["a problem without a code of ours", (response: ServerResponse) => problem(response, 404, { code: "gone" })],
] as const) {
  test(`H6: ${what} is no answer: unavailable, and nobody is sent elsewhere`, async (t) => {
    const { client, ctx, received } = await bench(t, (_, response) => void answer(response));
    await assert.rejects(client.getThing(ctx, { params: { id: "1" } }), (thrown) => {
      assert.ok(hasCode(thrown, "unavailable"));
      assert.ok(!JSON.stringify([thrown.message, thrown.fields]).includes("secret"));
      return true;
    });
    assert.deepEqual([...new Set(received.map(({ path }) => path))], ["/api/things/1"]);
  });
}

test("H6: of an answer without end no more is read than a reply may have", async (t) => {
  let sent = 0;
  const { client, ctx } = await bench(t, (_, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const chunk = Buffer.alloc(1024 ** 2, "1");
    const more = () => {
      while (!response.destroyed && sent < 1024 && response.write(chunk)) sent++;
    };
    response.on("drain", more);
    more();
  });
  await assert.rejects(client.countThing(ctx, { params: { id: "1" } }), (thrown) => hasCode(thrown, "unavailable"));
  assert.ok(sent < 64, `${sent} MiB were sent`);
});

test("H6: what fails is asked again where that is safe, under the same key, when the service wants it, and within a budget", async (t) => {
  const { client, ctx, received, registry } = await bench(
    t,
    (_, response) => problem(response, 503, { code: "unavailable" }, { "retry-after": "0" }),
    { timeoutMs: 5000 },
  );
  await assert.rejects(client.makeThing(ctx, { body: { n: 1 } }), (thrown) => hasCode(thrown, "unavailable"));
  assert.equal(received.length, 3);
  assert.equal(new Set(received.map(({ headers }) => headers["idempotency-key"])).size, 1);
  await assert.rejects(client.countThing(ctx, { params: { id: "1" } }));
  await assert.rejects(client.dropThing(ctx, { params: { id: "1" } }));
  assert.equal(received.length, 5);
  assert.match(await registry.text(), /client_retries_total{service="things",operation="makeThing"} 2/);
});

test("H6: a service that wants to be left alone for longer than there is time is asked once", async (t) => {
  const { client, ctx, received } = await bench(t, (_, response) =>
    problem(response, 503, { code: "unavailable" }, { "retry-after": "30" }),
  );
  await assert.rejects(client.getThing(ctx, { params: { id: "1" } }), (thrown) => {
    assert.ok(hasCode(thrown, "unavailable"));
    assert.equal(thrown.retryAfterMs, 30_000);
    return true;
  });
  assert.equal(received.length, 1);
});

test("H6: of a service that is down at most a tenth more is asked than was called for, and ten more", async (t) => {
  const { client, ctx, received } = await bench(t, (_, response) => response.destroy());
  const calls = Array.from({ length: 300 }, () => client.getThing(ctx, { params: { id: "1" } }).catch(() => {}));
  await Promise.all(calls);
  assert.ok(received.length <= 340, `${received.length} requests`);
});

test("what was not answered may have been done, unless it is certain that it never arrived or may be done twice", async (t) => {
  const { client, ctx, server } = await bench(t, (_, response) => response.destroy());
  const outcome = (calling: Promise<unknown>) => calling.then(() => assert.fail("it was answered"), isOutcomeUnknown);
  const params = { id: "1" };
  assert.equal(await outcome(client.countThing(ctx, { params })), true);
  assert.equal(await outcome(client.makeThing(ctx, { body: { n: 1 } })), true);
  assert.equal(await outcome(client.makeThing(ctx, { body: { n: 1 }, idempotencyKey: "k" })), false);
  assert.equal(await outcome(client.getThing(ctx, { params })), false);
  server.closeAllConnections();
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  const away = createClient(thingsApi, { baseUrl: "http://127.0.0.1:1", log: ctx.log, metrics: createRegistry() });
  t.after(() => away.stop(ctx).then(() => {}));
  assert.equal(await outcome(away.countThing(ctx, { params })), false);
});

test("a caller that leaves ends its call, and the service hears of it", async (t) => {
  let isGone = false;
  const { client, ctx } = await bench(t, (_, response) => response.on("close", () => (isGone = true)));
  const calling = client.countThing(ctx, { params: { id: "1" } });
  setTimeout(() => ctx.cancel(new AppError("canceled", "the caller left")), 50);
  await assert.rejects(calling, /the caller left/);
  while (!isGone) await new Promise((resolve) => setImmediate(resolve));
});

test("calls are counted by how they ended", async (t) => {
  const { client, ctx, registry } = await bench(t, ({ url }, response) => {
    if (url === "/api/things/1") json(response, THING);
    else problem(response, 404, { code: "not_found" });
  });
  await client.getThing(ctx, { params: { id: "1" } });
  await client.getThing(ctx, { params: { id: "2" } }).catch(() => {});
  const text = await registry.text();
  assert.match(text, /client_calls_total{service="things",operation="getThing",result="ok"} 1/);
  assert.match(text, /client_calls_total{service="things",operation="getThing",result="not_found"} 1/);
  assert.match(text, /client_call_duration_seconds_count{service="things",operation="getThing"} 2/);
  assert.match(text, /client_breaker_open{service="things"} 0/);
});
