import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { type Context, orDone } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import { eventually, type LogLine, rawConnection, rawRequest, splitResponses } from "../testing/index.ts";
import { gate, get, ping, post, route, serve } from "./server.suite.ts";

const LAST = "Connection: close";
const never = new Promise<never>(() => {});

function errorsOf(lines: readonly LogLine[]): readonly LogLine[] {
  return lines.filter(({ level }) => level === "error");
}

test("whatever a handler throws is a 500 that shows nothing, and one line in the log that shows it", async (t) => {
  const things: readonly unknown[] = [
    new Error("secret"),
    new TypeError("secret"),
    "secret",
    undefined,
    null,
    0,
    { secret: true },
    Object.freeze(new Error("secret")),
    Promise.resolve("secret"),
    Object.create(null),
    new AppError("internal", "secret"),
  ];
  const { request, lines } = await serve(t, [
    route("GET", "/throw/{at}", (_ctx, { params }) => {
      throw things[Number(params.at)];
    }),
    route("GET", "/reject/{at}", async (_ctx, { params }) => {
      throw things[Number(params.at)];
    }),
  ]);
  for (const way of ["throw", "reject"]) {
    for (const at of things.keys()) {
      const before = errorsOf(lines).length;
      const { status, body } = await request({ path: `/${way}/${at}` });
      assert.equal(status, 500);
      assert.doesNotMatch(body, /secret/);
      const logged = errorsOf(lines).slice(before);
      assert.deepEqual(
        logged.map(({ msg, endpoint }) => [msg, endpoint]),
        [["request failed", `/${way}/{at}`]],
      );
      assert.equal(logged[0]?.request_id, JSON.parse(body).instance);
    }
  }
});

test("an answer that HTTP can't carry is a 500", async (t) => {
  const replies = [
    { status: 200, headers: { "x-split": "a\r\nset-cookie: b" } },
    { status: 200, headers: { "x-wide": "\u20ac" } },
    { status: 200, headers: { "not a name": "a" } },
    { status: 99 },
    { status: 1000 },
    { status: Number.NaN },
  ];
  const { request, lines } = await serve(t, [
    route("GET", "/reply/{at}", async (_ctx, { params }) => replies[Number(params.at)] ?? { status: 200 }),
  ]);
  for (const at of replies.keys()) assert.equal((await request({ path: `/reply/${at}` })).status, 500, String(at));
  assert.equal(errorsOf(lines).length, replies.length);
});

test("a request whose time is up is answered 504, also when its handler does not care", async (t) => {
  const contexts: Context[] = [];
  const { request, lines, metric } = await serve(
    t,
    [
      route("GET", "/heeds", (ctx) => orDone(ctx, never)),
      route("GET", "/ignores", (ctx) => {
        contexts.push(ctx);
        return never;
      }),
    ],
    { requestTimeoutMs: 30 },
  );
  for (const path of ["/heeds", "/ignores"]) {
    const { status, body } = await request({ path });
    assert.deepEqual([status, JSON.parse(body).code], [504, "timeout"]);
  }
  assert.equal(contexts[0]?.done?.code, "timeout");
  assert.equal(errorsOf(lines).length, 2);
  await eventually(async () => (await metric("http_requests_in_flight")) === 0);
});

test("a route's own time goes before the server's", async (t) => {
  const slow = { kind: "handled", method: "GET", path: "/slow", timeoutMs: 20 } as const;
  const { request } = await serve(t, [{ ...slow, handler: (ctx) => orDone(ctx, never) }]);
  assert.equal((await request({ path: "/slow" })).status, 504);
});

test("what a handler throws after its time is logged once when it is a bug, and not at all when it is the end of its time", async (t) => {
  const { opened, open } = gate();
  const { request, lines } = await serve(
    t,
    [
      route("GET", "/bug", async () => {
        await opened;
        throw new Error("late");
      }),
      route("GET", "/end", async (ctx) => {
        await opened;
        ctx.throwIfDone();
        return { status: 200 };
      }),
      route("GET", "/late", async () => {
        await opened;
        return { status: 200 };
      }),
    ],
    { requestTimeoutMs: 20 },
  );
  const statuses = ["/bug", "/end", "/late"].map(async (path) => (await request({ path })).status);
  assert.deepEqual(await Promise.all(statuses), [504, 504, 504]);
  open();
  await eventually(() => errorsOf(lines).length === 4);
  assert.equal(errorsOf(lines)[3]?.msg, "handler failed when its request was over");
});

test("what ends with the context's signal is told by the context's reason, not as a bug", async (t) => {
  const { request, lines } = await serve(
    t,
    [
      route("GET", "/signal", async (ctx) => {
        await once(process, "never", { signal: ctx.signal });
        return { status: 200 };
      }),
    ],
    { requestTimeoutMs: 20 },
  );
  assert.equal((await request({ path: "/signal" })).status, 504);
  assert.equal(errorsOf(lines).length, 1);
});

test("F2: a caller that leaves ends the context of its request, and is a 499 at level info", async (t) => {
  const reasons: unknown[] = [];
  const { port, lines, metric } = await serve(t, [
    route("GET", "/wait", (ctx) => {
      ctx.onDone((reason) => reasons.push(reason.code));
      return orDone(ctx, never);
    }),
  ]);
  for (const leave of ["close", "reset"] as const) {
    const connection = rawConnection(t, port);
    connection.send(get("/wait"));
    await eventually(async () => (await metric("http_requests_in_flight")) === 1);
    connection[leave]();
    await eventually(async () => (await metric("http_requests_in_flight")) === 0, 1000);
  }
  assert.deepEqual(reasons, ["canceled", "canceled"]);
  assert.equal(await metric('http_requests_total{method="GET",endpoint="/wait",status="499"}'), 2);
  const access = lines.filter(({ msg }) => msg === "request");
  assert.deepEqual(
    access.map(({ level, client_closed }) => [level, client_closed]),
    Array(2).fill(["info", true]),
  );
  assert.deepEqual(errorsOf(lines), []);
});

test("a body much larger than any socket's buffer arrives whole, however slowly it is read", async (t) => {
  const body = "0123456789abcdef".repeat(2 * 1024 * 1024);
  const { port } = await serve(t, [route("GET", "/large", async () => ({ status: 200, body }))]);
  const connection = rawConnection(t, port);
  connection.stopReading();
  connection.send(get("/large", LAST));
  await connection.ended(50);
  connection.startReading();
  assert.equal(await connection.ended(20_000), "closed");
  assert.equal(splitResponses(connection.received).responses[0]?.body.equals(Buffer.from(body)), true);
});

test("an answer without a body says so, so that nobody waits for one", async (t) => {
  const { port } = await serve(t, [
    route("GET", "/status/{status}", async (_ctx, { params }) => ({ status: Number(params.status) })),
  ]);
  for (const [status, length] of [
    [200, "0"],
    [202, "0"],
    [204, undefined],
    [304, undefined],
  ] as const) {
    const { responses } = await rawRequest(port, get(`/status/${status}`, LAST));
    assert.deepEqual([responses[0]?.status, responses[0]?.headers["content-length"]], [status, length]);
    assert.equal(responses[0]?.headers["transfer-encoding"], undefined);
  }
});

test("the id of a request is its caller's when it is well formed, and a new one when it is not", async (t) => {
  const { request } = await serve(t, [ping()]);
  for (const id of ["a", "01932c07-4e2a-7d53-9b1f-6a2f0c8e5d41", "a.b_c:d/e+f=g@h", "x".repeat(128)]) {
    const { headers } = await request({ path: "/ping", headers: { "x-request-id": id } });
    assert.equal(headers["x-request-id"], id);
  }
  const seen = new Set<unknown>();
  for (const id of ["", " ", "a b", 'a"b', "a,b", "x".repeat(129), "\u00e9", "a\tb", undefined, undefined]) {
    const { headers } = await request({ path: "/ping", headers: id === undefined ? {} : { "x-request-id": id } });
    assert.match(
      String(headers["x-request-id"]),
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    seen.add(headers["x-request-id"]);
  }
  assert.equal(seen.size, 10);
});

test("two ids for one request are none", async (t) => {
  const { port } = await serve(t, [ping()]);
  const { responses } = await rawRequest(port, get("/ping", "X-Request-Id: a", "X-Request-Id: b", LAST));
  assert.match(String(responses[0]?.headers["x-request-id"]), /^[0-9a-f-]{36}$/);
});

test("an answer, its problem document, its access line and what its handler logs carry one id", async (t) => {
  const { request, lines } = await serve(t, [
    route("GET", "/refuses", async (ctx) => {
      ctx.log.info("looked");
      throw new AppError("conflict", "it is taken");
    }),
  ]);
  const { headers, body } = await request({ path: "/refuses", headers: { "x-request-id": "mine" } });
  assert.deepEqual([headers["x-request-id"], JSON.parse(body).instance], ["mine", "mine"]);
  await eventually(() => lines.some(({ msg }) => msg === "request"));
  assert.deepEqual(
    lines.filter(({ request_id }) => request_id === "mine").map(({ msg }) => msg),
    ["looked", "request"],
  );
});

test("a request leaves one line that tells who asked for what, and nothing of the query", async (t) => {
  const { request, lines } = await serve(t, [ping("/ping/{id}")]);
  await request({ path: "/ping/7?token=secret", headers: { "x-request-id": "r1" } });
  await eventually(() => lines.some(({ msg }) => msg === "request"));
  const [line] = lines.filter(({ msg }) => msg === "request");
  assert.ok(line);
  const { time, duration_ms, ...rest } = line;
  assert.deepEqual(rest, {
    level: "info",
    msg: "request",
    service: "test",
    version: "dev",
    request_id: "r1",
    method: "GET",
    endpoint: "/ping/{id}",
    path: "/ping/7",
    status: 200,
  });
  assert.ok(Number(duration_ms) >= 0 && Number(duration_ms) < 5000);
  assert.doesNotMatch(JSON.stringify(lines), /secret/);
});

test("probes and scrapes leave their lines at debug", async (t) => {
  const { request, lines } = await serve(t, []);
  for (const path of ["/livez", "/readyz", "/health", "/metrics"]) await request({ path });
  await eventually(() => lines.filter(({ msg }) => msg === "request").length === 4);
  assert.ok(lines.filter(({ msg }) => msg === "request").every(({ level }) => level === "debug"));
});

test("a body is read once", async (t) => {
  const { request, lines } = await serve(t, [
    route("POST", "/twice", async (_ctx, request) => {
      await request.readBody();
      await request.readBody();
      return { status: 200 };
    }),
  ]);
  assert.equal((await request({ method: "POST", path: "/twice", body: "x" })).status, 500);
  assert.match(JSON.stringify(errorsOf(lines)), /a body can be read once/);
});

test("a body that is asked for after its caller left is canceled at once", async (t) => {
  const { opened, open } = gate();
  const codes: unknown[] = [];
  const { port, metric } = await serve(t, [
    route("POST", "/later", async (_ctx, request) => {
      await opened;
      await request.readBody().catch((thrown: AppError) => codes.push(thrown.code));
      return { status: 200 };
    }),
  ]);
  for (const bytes of [post("/later", "whole"), post("/later", "half").slice(0, -2)]) {
    const connection = rawConnection(t, port);
    connection.send(bytes);
    await eventually(async () => (await metric("http_requests_in_flight")) === 1);
    connection.reset();
    await eventually(async () => (await metric("http_requests_in_flight")) === 0);
  }
  open();
  await eventually(() => codes.length === 2);
  assert.deepEqual(codes, ["canceled", "canceled"]);
});

test("a handler that answers without reading its body has the connection closed, and one whose body was small has not", async (t) => {
  const { port } = await serve(t, [route("POST", "/unread", async () => ({ status: 200, body: "ok" })), ping()]);
  const small = await rawRequest(port, post("/unread", "x") + get("/ping", LAST));
  assert.deepEqual(
    small.responses.map(({ status }) => status),
    [200, 200],
  );
  const large = await rawRequest(port, post("/unread", "x".repeat(500_000)) + get("/ping", LAST));
  assert.deepEqual([large.responses.length, large.responses[0]?.headers.connection], [1, "close"]);
});
