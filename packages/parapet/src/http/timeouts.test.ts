import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { sleep } from "../context/index.ts";
import { eventually, rawConnection, rawRequest, splitResponses } from "../testing/index.ts";
import { get, ping, post, route, serve } from "./server.suite.ts";

// Timeouts are looked at once a second.
const SWEEP_MS = 1000;
// The state of /proc/net/tcp.
const LISTENING = "0A";

const echo = route("POST", "/echo", async (_ctx, request) => ({ status: 200, body: String(await request.readBody()) }));

function statusesOf(received: Buffer): number[] {
  return splitResponses(received).responses.map(({ status }) => status);
}

test("F3: a thousand clients that send their heads byte by byte get 408 and are closed; others are served meanwhile", async (t) => {
  const { port, request } = await serve(t, [ping()], { readTimeoutMs: 1000 });
  const head = get("/ping");
  const slow = Array.from({ length: 1000 }, () => rawConnection(t, port));
  let sent = 0;
  const trickle = setInterval(() => {
    for (const connection of slow) connection.send(head.charAt(sent));
    sent += 1;
  }, 200);
  t.after(() => clearInterval(trickle));
  const ends = slow.map((connection) => connection.ended(20_000));
  assert.equal((await request({ path: "/ping" })).status, 200);
  assert.ok((await Promise.all(ends)).every((end) => end !== "open"));
  assert.ok(sent < head.length, `${sent} bytes of the head were sent`);
  const statuses = slow.map(({ received }) => statusesOf(received));
  // A reset may overtake the answer where bytes were still coming.
  const told = statuses.filter(([status]) => status === 408).length;
  assert.ok(told > 900 && statuses.every(([status = 408]) => status === 408), `${told} were told`);
  assert.equal((await request({ path: "/ping" })).status, 200);
});

test("F3: a connection on which nothing is sent is closed without a word, since nothing was asked", async (t) => {
  const { port } = await serve(t, [ping()], { readTimeoutMs: 100 });
  const connection = rawConnection(t, port);
  assert.equal(await connection.ended(100 + 2 * SWEEP_MS + 2000), "closed");
  assert.equal(connection.received.length, 0);
});

test("F4: a body that does not arrive in time is answered 408, which is nobody's error", async (t) => {
  for (const settings of [{ readTimeoutMs: 200 }, { requestTimeoutMs: 200 }]) {
    const { port, lines, metric } = await serve(t, [echo], settings);
    const connection = rawConnection(t, port);
    connection.send(post("/echo", "half").slice(0, -2));
    assert.equal(await connection.ended(200 + 2 * SWEEP_MS + 2000), "closed");
    assert.deepEqual(statusesOf(connection.received), [408]);
    assert.deepEqual(
      lines.filter(({ level }) => level === "error"),
      [],
    );
    await eventually(async () => (await metric("http_requests_in_flight")) === 0);
  }
});

test("F5: a client that reads byte by byte is cut at the write deadline", async (t) => {
  const body = "x".repeat(64 * 1024 * 1024);
  const { port, metric } = await serve(t, [route("GET", "/large", async () => ({ status: 200, body }))], {
    writeTimeoutMs: 300,
  });
  const connection = rawConnection(t, port);
  connection.stopReading();
  connection.send(get("/large"));
  const sip = setInterval(() => {
    connection.startReading();
    setImmediate(() => connection.stopReading());
  }, 300);
  t.after(() => clearInterval(sip));
  await eventually(async () => (await metric("http_requests_in_flight")) === 1);
  await eventually(async () => (await metric("http_connections")) === 0, 300 + 2 * SWEEP_MS + 3000);
  assert.ok(connection.received.length < body.length);
});

test("A5: clients that never read their answers are cut at the write deadline, and memory and descriptors come back", async (t) => {
  const body = "x".repeat(8 * 1024 * 1024);
  const { port, lines, metric } = await serve(t, [route("GET", "/large", async () => ({ status: 200, body }))], {
    writeTimeoutMs: 300,
  });
  const before = descriptors();
  const clients = Array.from({ length: 10 }, () => rawConnection(t, port));
  for (const client of clients) {
    client.stopReading();
    client.send(get("/large"));
  }
  await eventually(async () => (await metric("http_connections")) === clients.length);
  await eventually(async () => (await metric("http_connections")) === 0, 300 + 2 * SWEEP_MS + 3000);
  assert.equal(await metric("http_requests_in_flight"), 0);
  await eventually(() => descriptors() <= before + clients.length);
  assert.deepEqual(unsentBytes(port), []);
  assert.ok(lines.some(({ msg, connections }) => /cut/.test(msg) && Number(connections) > 0));
});

test("A5: a client that pipelines and never reads is cut too, though no answer of its own is large", async (t) => {
  const body = "x".repeat(100_000);
  const { port, metric } = await serve(t, [route("GET", "/some", async () => ({ status: 200, body }))], {
    writeTimeoutMs: 300,
  });
  const client = rawConnection(t, port);
  client.stopReading();
  client.send(get("/some").repeat(1000));
  await eventually(async () => (await metric("http_connections")) === 1);
  await eventually(async () => (await metric("http_connections")) === 0, 300 + 2 * SWEEP_MS + 5000);
});

test("a connection that falls idle between requests is closed in its time, and not while a request runs", async (t) => {
  const { port } = await serve(
    t,
    [
      route("GET", "/slow", async (ctx) => {
        await sleep(ctx, 400);
        return { status: 200 };
      }),
    ],
    { idleTimeoutMs: 100 },
  );
  const { responses, end, ms } = await rawRequest(port, get("/slow"), { timeoutMs: 5000 });
  assert.deepEqual([responses.length, end], [1, "closed"]);
  assert.ok(ms >= 450, `${ms} ms`);
});

test("A4: half-sent requests do not hold up the drain, not even those of a client that goes on trickling", async (t) => {
  const { drain, port, metric } = await serve(t, [ping()], { drainTimeoutMs: 10_000 });
  const halves = [get("/ping").slice(0, -4), "GET /ping HT", "", get("/ping") + get("/ping").slice(0, 10)];
  const clients = halves.map((half) => {
    const client = rawConnection(t, port);
    client.send(half);
    return client;
  });
  const trickle = setInterval(() => clients[0]?.send("x"), 100);
  t.after(() => clearInterval(trickle));
  await eventually(async () => (await metric("http_connections")) === clients.length);
  const started = performance.now();
  assert.deepEqual(await drain(), {});
  assert.ok(performance.now() - started < 5000, `${performance.now() - started} ms`);
  for (const client of clients) assert.notEqual(await client.ended(1000), "open");
});

test("A4: a body that trickles is timed out during the drain as before it", async (t) => {
  const { drain, port } = await serve(t, [echo], {
    readTimeoutMs: 500,
    requestTimeoutMs: 9000,
    drainTimeoutMs: 10_000,
  });
  const client = rawConnection(t, port);
  client.send(post("/echo", "half").slice(0, -2));
  await client.ended(50);
  const started = performance.now();
  assert.deepEqual(await drain(), {});
  assert.ok(performance.now() - started < 500 + 2 * SWEEP_MS + 3000, `${performance.now() - started} ms`);
  assert.deepEqual(statusesOf(client.received), [408]);
});

/** What the kernel still holds for the peers of a port, a number of bytes a connection. */
function unsentBytes(port: number): number[] {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) => readFileSync(file, "utf8").split("\n"));
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter(([, from = "", , state]) => from.endsWith(local) && state !== LISTENING)
    .map(([, , , , queues = ""]) => Number.parseInt(queues, 16))
    .filter((bytes) => bytes > 0);
}

/** How many file descriptors this process has open. */
function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
