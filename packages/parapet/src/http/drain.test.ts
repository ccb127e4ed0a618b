import assert from "node:assert/strict";
import { test } from "node:test";
import { CancelableContext, type Context, orDone, sleep } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import {
  eventually,
  type RawConnection,
  rawConnection,
  rawRequest,
  splitResponses,
  startLoad,
  testContext,
} from "../testing/index.ts";
import { get, ping, route, serve } from "./server.suite.ts";

const LAST = "Connection: close";
const never = new Promise<never>(() => {});

const slow = route("GET", "/slow/{ms}", async (ctx, { params }) => {
  await sleep(ctx, Number(params.ms));
  return { status: 200, body: "done" };
});

const stuck = route("GET", "/stuck", (ctx) => orDone(ctx, never));

function answersOf({ received }: RawConnection) {
  return splitResponses(received).responses;
}

function isRefused(port: number): Promise<boolean> {
  return rawRequest(port, "", { timeoutMs: 20 }).then(
    () => false,
    () => true,
  );
}

test("during the lame duck it is alive and not ready, serves old and new connections, and asks them to leave", async (t) => {
  const { drain, port } = await serve(t, [ping(), slow], { drainDelayMs: 400 });
  const old = rawConnection(t, port);
  old.send(get("/ping"));
  await eventually(() => answersOf(old).length === 1);
  const running = rawConnection(t, port);
  running.send(get("/slow/200"));
  assert.equal(await running.ended(20), "open");
  const drained = drain();

  old.send(get("/ping"));
  const answers = await Promise.all(
    [get("/livez"), get("/readyz"), get("/health"), get("/ping"), get("/nowhere")].map((bytes) =>
      rawRequest(port, bytes),
    ),
  );
  assert.deepEqual(
    answers.map(({ responses }) => responses[0]?.status),
    [200, 503, 200, 200, 404],
  );
  assert.ok(answers.every(({ responses, end }) => responses[0]?.headers.connection === "close" && end === "closed"));
  assert.equal(JSON.parse(String(answers[1]?.responses[0]?.body)).status, "draining");
  for (const connection of [old, running]) {
    assert.equal(await connection.ended(2000), "closed");
    const last = answersOf(connection).at(-1);
    assert.deepEqual([last?.status, last?.headers.connection], [200, "close"]);
  }
  assert.deepEqual(await drained, {});
});

test("after the lame duck nobody gets in, idle connections get a FIN and no reset, and what runs is finished", async (t) => {
  const { drain, port } = await serve(t, [ping(), slow]);
  const idle = Array.from({ length: 20 }, () => rawConnection(t, port));
  for (const connection of idle) connection.send(get("/ping"));
  await eventually(() => idle.every((connection) => answersOf(connection).length === 1));
  const running = rawConnection(t, port);
  running.send(get("/slow/300"));
  assert.equal(await running.ended(20), "open");
  const drained = drain();
  await eventually(() => isRefused(port));
  assert.ok((await Promise.all(idle.map((connection) => connection.ended(250)))).every((end) => end === "closed"));
  assert.equal(answersOf(running).length, 0);
  assert.deepEqual(await drained, {});
  assert.deepEqual(
    answersOf(running).map(({ status, headers }) => [status, headers.connection]),
    [[200, "close"]],
  );
});

test("A1: clients whose connections still wait to be accepted when the listener closes are served", async (t) => {
  const { drain, port } = await serve(t, [ping()]);
  const waiting = Array.from({ length: 50 }, () => rawConnection(t, port));
  for (const connection of waiting) connection.send(get("/ping"));
  // By now they are connected, and the server has had no turn to accept any.
  await new Promise(process.nextTick);
  assert.deepEqual(await drain(), {});
  for (const connection of waiting) {
    assert.equal(await connection.ended(1000), "closed");
    assert.deepEqual(
      answersOf(connection).map(({ status, headers }) => [status, headers.connection]),
      [[200, "close"]],
    );
  }
});

test("a drain does not wait for new clients who keep coming", async (t) => {
  const { drain, port } = await serve(t, [ping()], { drainTimeoutMs: 4000 });
  const load = startLoad(t, {
    url: `http://127.0.0.1:${port}`,
    keepAliveClients: 0,
    freshClients: 20,
    maxThinkMs: 0,
    request: () => ({ path: "/ping" }),
  });
  await eventually(() => load.report().ok > 0);
  const started = performance.now();
  assert.deepEqual(await drain(), {});
  assert.ok(performance.now() - started < 3000, `${performance.now() - started} ms`);
});

test("a request that was begun before the listener closed and ended after it is served", async (t) => {
  const { drain, port, metric } = await serve(t, [ping(), slow]);
  const running = rawConnection(t, port);
  running.send(get("/slow/600"));
  const halves = [rawConnection(t, port), rawConnection(t, port)];
  halves[0]?.send("GET /slow/700 HT");
  await eventually(async () => (await metric("http_connections")) === 3);
  const drained = drain();
  await running.ended(50);
  halves[0]?.send("TP/1.1\r\nHost: a\r\n\r\n");
  halves[1]?.send(get("/slow/700"));
  assert.deepEqual(await drained, {});
  assert.deepEqual(
    halves.map((half) => answersOf(half)[0]?.status),
    [200, 200],
  );
});

test("what runs longer than the drain is told to stop, answered 503 with Retry-After, and counted", async (t) => {
  const contexts: Context[] = [];
  const { drain, stop, port, lines } = await serve(
    t,
    [
      stuck,
      route("GET", "/ignores", (ctx) => {
        contexts.push(ctx);
        return never;
      }),
    ],
    { drainTimeoutMs: 100 },
  );
  const clients = [get("/stuck"), get("/stuck"), get("/ignores")].map((bytes) => {
    const client = rawConnection(t, port);
    client.send(bytes);
    return client;
  });
  await eventually(() => contexts.length === 1);
  assert.deepEqual(await drain(), { http: 3 });
  for (const client of clients) {
    assert.equal(await client.ended(2000), "closed");
    const [answer] = answersOf(client);
    assert.deepEqual([answer?.status, answer?.headers.connection], [503, "close"]);
    assert.match(String(answer?.headers["retry-after"]), /^[1-3]$/);
    assert.equal(JSON.parse(String(answer?.body)).detail, "the service is stopping");
  }
  assert.equal(contexts[0]?.done?.code, "canceled");
  assert.equal(lines.filter(({ msg }) => msg === "request failed").length, 3);
  // What was counted once is not counted again.
  assert.deepEqual(await stop(), { http: 0 });
});

test("an answer that is half out when the drain ends is cut, and counted", async (t) => {
  const body = "x".repeat(32 * 1024 * 1024);
  const { drain, stop, port, metric } = await serve(t, [route("GET", "/large", async () => ({ status: 200, body }))], {
    drainTimeoutMs: 100,
  });
  const client = rawConnection(t, port);
  client.stopReading();
  client.send(get("/large"));
  await eventually(async () => (await metric("http_requests_in_flight")) === 1);
  assert.deepEqual(await drain(), { http: 1 });
  assert.deepEqual(await stop(), { http: 0 });
  assert.equal(await metric("http_connections"), 0);
});

test("pipelined requests are all answered during the drain; only the last answer closes the connection", async (t) => {
  const { drain, port } = await serve(t, [ping(), slow], { drainDelayMs: 300 });
  const client = rawConnection(t, port);
  client.send(get("/slow/100") + get("/ping") + get("/slow/10") + get("/ping"));
  await client.ended(20);
  assert.deepEqual(await drain(), {});
  assert.deepEqual(
    answersOf(client).map(({ status, headers }) => [status, headers.connection]),
    [
      [200, "keep-alive"],
      [200, "keep-alive"],
      [200, "keep-alive"],
      [200, "close"],
    ],
  );
});

test("a drain whose context ends aborts at once", async (t) => {
  const { server, port, metric } = await serve(t, [stuck], { drainDelayMs: 60_000, drainTimeoutMs: 60_000 });
  const { log } = testContext();
  const client = rawConnection(t, port);
  client.send(get("/stuck"));
  await eventually(async () => (await metric("http_requests_in_flight")) === 1);
  const ctx = new CancelableContext({ log });
  const drained = server.drain?.(ctx);
  assert.equal(await client.ended(50), "open");
  const started = performance.now();
  ctx.cancel(new AppError("canceled", "a second signal came"));
  assert.deepEqual(await drained, { http: 1 });
  assert.ok(performance.now() - started < 500);
  assert.equal(await client.ended(1000), "closed");
  assert.equal(answersOf(client)[0]?.status, 503);
});

test("a drain that has too little time for the lame duck gives it to the requests under way", async (t) => {
  const { server, port } = await serve(t, [slow], { drainDelayMs: 10_000 });
  const client = rawConnection(t, port);
  client.send(get("/slow/300"));
  await client.ended(50);
  const { log } = testContext();
  const drained = server.drain?.(new CancelableContext({ log, deadline: performance.now() + 5000 }));
  assert.equal(await client.ended(2000), "closed");
  assert.equal(answersOf(client)[0]?.status, 200);
  assert.equal(await drained, undefined);
});

test("it can be stopped while it drains, and again", async (t) => {
  const draining = await serve(t, [stuck], { drainDelayMs: 60_000 });
  const client = rawConnection(t, draining.port);
  client.send(get("/stuck"));
  await client.ended(50);
  const drained = draining.drain();
  assert.deepEqual(await draining.stop(), { http: 1 });
  assert.equal(await client.ended(1000), "closed");
  assert.equal(answersOf(client)[0]?.status, 503);
  for (let again = 0; again < 3; again++) assert.deepEqual(await draining.stop(), { http: 0 });
  await assert.rejects(rawRequest(draining.port, get("/ping")), /no server listens/);
  await drained;
});

test("the admin port answers until the stop", async (t) => {
  const { server, drain, stop, lines } = await serve(t, [ping(), slow], { adminPort: 0 });
  const adminPort = Number(lines.find(({ msg }) => msg === "listening")?.admin_port);
  const client = rawConnection(t, server.port);
  client.send(get("/slow/300"));
  await client.ended(50);
  const drained = drain();
  await client.ended(50);
  const statuses = ["/livez", "/readyz", "/metrics"].map(
    async (path) => (await rawRequest(adminPort, get(path))).responses[0]?.status,
  );
  assert.deepEqual(await Promise.all(statuses), [200, 503, 200]);
  assert.deepEqual(await drained, {});
  assert.equal((await rawRequest(adminPort, get("/livez"))).responses[0]?.status, 200);
  await stop();
  await assert.rejects(rawRequest(adminPort, get("/livez")), /no server listens/);
});

test("it leaves no socket and no exchange behind", async (t) => {
  const { drain, stop, port, metric } = await serve(t, [slow]);
  await Promise.all(Array.from({ length: 20 }, () => rawRequest(port, get("/slow/10", LAST))));
  assert.deepEqual(await drain(), {});
  assert.deepEqual(await stop(), { http: 0 });
  assert.deepEqual([await metric("http_connections"), await metric("http_requests_in_flight")], [0, 0]);
});
