import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { hasCode } from "parapet/errors";
import { eventually } from "parapet/testing";
import * as wire from "./postgres-bytes.harness.ts";
import { commit, committed, replyTo, statement } from "./postgres-matches.ts";
import { createPostgresProxy } from "./postgres-proxy.ts";
import { dial, quietServer, type TcpEnd } from "./tcp-ends.harness.ts";

const START = wire.startup();
const [BEFORE, COMMIT, BEHIND] = [wire.query("select 1"), wire.query("commit"), wire.query("select 2")];
const ALL = Buffer.concat([START, BEFORE, COMMIT, BEHIND]);
const EXPECTED_BEFORE = Buffer.concat([START, BEFORE]);

/** A proxy, a client, and the server's end of its connection. */
async function connected(t: TestContext) {
  const { port, ends } = await quietServer(t);
  const proxy = await createPostgresProxy(`postgres://ada:p%40ss@127.0.0.1:${port}/app?sslmode=disable`);
  t.after(() => proxy.close());
  const client = await dial(t, proxy.url);
  await eventually(() => ends.length === 1);
  const [server] = ends as [TcpEnd];
  return { proxy, client, server, ends };
}

test("the proxy's URL is the target's, with another host and port", async (t) => {
  const { proxy } = await connected(t);
  assert.equal(proxy.url, `postgres://ada:p%40ss@127.0.0.1:${new URL(proxy.url).port}/app?sslmode=disable`);
});

for (const url of ["redis://127.0.0.1:6379", "rediss://127.0.0.1", "postgres:///app?host=/tmp", "postgres"]) {
  test(`${url} is no target`, async () => {
    await assert.rejects(createPostgresProxy(url), (thrown) => hasCode(thrown, "invalid"));
  });
}

test("without a trap bytes pass both ways, exactly, and so does the end", async (t) => {
  const { proxy, client, server } = await connected(t);
  client.socket.write(ALL);
  await server.receives(ALL.length);
  server.socket.write(wire.ready());
  await client.receives(wire.ready().length);
  client.socket.end();
  assert.equal(await server.closed, "end");
  assert.deepEqual([server.received(), client.received()], [ALL, wire.ready()]);
  assert.deepEqual([proxy.accepted, proxy.open], [1, 1]);
  server.socket.end(wire.complete("SELECT 1"));
  assert.equal(await client.closed, "end");
  assert.deepEqual(client.received(), Buffer.concat([wire.ready(), wire.complete("SELECT 1")]));
  await eventually(() => proxy.open === 0);
});

test("what passes was handed to the kernel when the trap has fired", async (t) => {
  const { proxy, client, server } = await connected(t);
  const trap = proxy.when(commit);
  client.socket.write(ALL);
  const seen = await trap.fired;
  assert.deepEqual([seen.from, seen.connection, seen.sql, seen.message.bytes], ["client", 1, "commit", COMMIT]);
  await server.receives(ALL.length);
  assert.deepEqual(server.received(), ALL);
});

test("what is held stays, with all behind it, until it is released; what was before it passes", async (t) => {
  const { proxy, client, server } = await connected(t);
  const seen: string[] = [];
  proxy.onMessage(({ sql }) => sql && seen.push(sql));
  const trap = proxy.when(commit, "hold");
  client.socket.write(ALL);
  await trap.fired;
  await server.receives(EXPECTED_BEFORE.length);
  client.socket.write(BEHIND);
  server.socket.write(wire.ready());
  await client.receives(wire.ready().length);
  assert.deepEqual(server.received(), EXPECTED_BEFORE);
  assert.deepEqual(seen, ["select 1", "commit"]);
  trap.release();
  trap.release();
  await server.receives(ALL.length + BEHIND.length);
  assert.deepEqual(server.received(), Buffer.concat([ALL, BEHIND]));
  assert.deepEqual(seen, ["select 1", "commit", "select 2", "select 2"]);
});

test("what is held is lost when its sender ends or is reset", async (t) => {
  for (const leave of [(end: TcpEnd) => end.socket.end(), (end: TcpEnd) => end.socket.resetAndDestroy()]) {
    const { proxy, client, server } = await connected(t);
    const trap = proxy.when(commit, "hold");
    client.socket.write(ALL);
    await trap.fired;
    await server.receives(EXPECTED_BEFORE.length);
    leave(client);
    assert.match(await server.closed, /end|ECONNRESET/);
    trap.release();
    server.socket.end();
    await eventually(() => proxy.open === 0);
    assert.deepEqual(server.received(), EXPECTED_BEFORE);
  }
});

test("what is held is lost when its receiver is gone, and its sender learns of that", async (t) => {
  for (const leave of [(end: TcpEnd) => end.socket.end(), (end: TcpEnd) => end.socket.resetAndDestroy()]) {
    const { proxy, client, server } = await connected(t);
    const trap = proxy.when(committed, "hold");
    client.socket.write(Buffer.concat([START, COMMIT]));
    server.socket.write(Buffer.concat([wire.ready(), wire.complete("COMMIT"), wire.ready()]));
    await Promise.all([trap.fired, client.receives(wire.ready().length)]);
    leave(client);
    assert.match(await server.closed, /end|ECONNRESET/);
    server.socket.end();
    await eventually(() => proxy.open === 0);
    trap.release();
    assert.deepEqual(client.received(), wire.ready());
  }
});

test("a trap that is armed while another holds catches what is behind", async (t) => {
  const { proxy, client, server } = await connected(t);
  const first = proxy.when(statement(/select 1/), "hold");
  client.socket.write(ALL);
  await first.fired;
  const second = proxy.when(commit, "hold");
  first.release();
  await second.fired;
  first.release();
  await server.receives(EXPECTED_BEFORE.length);
  assert.deepEqual(server.received(), EXPECTED_BEFORE);
});

test("a cut resets both sides after what was before it, and nothing behind it arrives", async (t) => {
  const { proxy, client, server } = await connected(t);
  const trap = proxy.when(commit, "cut");
  client.socket.write(ALL);
  await trap.fired;
  assert.equal(await client.closed, "ECONNRESET");
  // Node calls a reset that arrives together with bytes an end.
  assert.match(await server.closed, /end|ECONNRESET/);
  assert.deepEqual(server.received(), EXPECTED_BEFORE);
  await eventually(() => proxy.open === 0);
});

test("what is swallowed is lost alone, and nobody waits for an answer to it", async (t) => {
  const { proxy, client, server } = await connected(t);
  const trap = proxy.when(commit, "swallow");
  client.socket.write(ALL);
  await trap.fired;
  await server.receives(ALL.length - COMMIT.length);
  assert.deepEqual(server.received(), Buffer.concat([START, BEFORE, BEHIND]));
  const answered = proxy.when(replyTo(/select 2/));
  const [one, two] = ["SELECT 1", "SELECT 2"].map(wire.complete) as [Buffer, Buffer];
  server.socket.write(Buffer.concat([wire.ready(), one, wire.ready(), two, wire.ready()]));
  assert.deepEqual((await answered.fired).message.bytes, two);
});

test("what is delayed goes on later, with all behind it, in order", async (t) => {
  const { proxy, client, server } = await connected(t);
  const trap = proxy.when(commit, { delayMs: 30 });
  client.socket.end(ALL);
  await trap.fired;
  const caughtAt = performance.now();
  assert.equal(await server.closed, "end");
  assert.ok(performance.now() - caughtAt >= 25);
  assert.deepEqual(server.received(), ALL);
});

test("a delay ends at once when its trap is released", async (t) => {
  const { proxy, client, server } = await connected(t);
  const trap = proxy.when(commit, { delayMs: 60_000 });
  client.socket.write(ALL);
  await trap.fired;
  trap.release();
  await server.receives(ALL.length);
});

test("a trap fires once, and of several the one that was armed first has the message", async (t) => {
  const { proxy, client } = await connected(t);
  const fired: string[] = [];
  const [first, second] = [proxy.when(commit), proxy.when(commit)];
  first.fired.then(() => fired.push("first"));
  second.fired.then(() => fired.push("second"));
  client.socket.write(ALL);
  await first.fired;
  assert.deepEqual(fired, ["first"]);
  client.socket.write(COMMIT);
  await second.fired;
});

test("a trap that is released before it fired is disarmed, and says so", async (t) => {
  const { proxy, client, server } = await connected(t);
  const trap = proxy.when(commit, "hold");
  trap.release();
  await assert.rejects(trap.fired, (thrown) => hasCode(thrown, "canceled"));
  client.socket.write(ALL);
  await server.receives(ALL.length);
});

test("a listener that was taken back hears nothing more", async (t) => {
  const { proxy, client, server } = await connected(t);
  const heard: string[] = [];
  const stop = proxy.onMessage(({ message }) => heard.push(message.name));
  client.socket.write(START);
  await server.receives(START.length);
  stop();
  client.socket.write(BEFORE);
  await server.receives(EXPECTED_BEFORE.length);
  assert.deepEqual(heard, ["StartupMessage"]);
});

test("what is no message resets its connection, and traps that wait learn of it", async (t) => {
  const { proxy, client, server } = await connected(t);
  const trap = proxy.when(commit);
  client.socket.write(Buffer.concat([EXPECTED_BEFORE, Buffer.from("GET / HTTP/1.1\r\n\r\n")]));
  await assert.rejects(trap.fired, (thrown) => hasCode(thrown, "invalid"));
  assert.deepEqual(await Promise.all([client.closed, server.closed]), ["ECONNRESET", "ECONNRESET"]);
});

test("a request for encryption is declined by the proxy, and is not seen by the target", async (t) => {
  const { proxy, client, server } = await connected(t);
  const [asked, declined] = [
    proxy.when(({ message }) => message.name === "SSLRequest"),
    proxy.when(({ message }) => message.name === "EncryptionReply" && !message.isAccepted),
  ];
  client.socket.write(wire.sslRequest);
  await Promise.all([asked.fired, declined.fired, client.receives(1)]);
  client.socket.write(START);
  await server.receives(START.length);
  assert.deepEqual([String(client.received()), server.received()], ["N", START]);
});

test("a reset tears both sides of what is open, and new connections are welcome", async (t) => {
  const { proxy, client, server, ends } = await connected(t);
  proxy.reset();
  assert.deepEqual(await Promise.all([client.closed, server.closed]), ["ECONNRESET", "ECONNRESET"]);
  await dial(t, proxy.url);
  await eventually(() => ends.length === 2 && proxy.open === 1);
});

test("a proxy that is closed resets what is open, refuses what comes, and fails the traps that wait", async (t) => {
  const { proxy, client, server } = await connected(t);
  const [held, waiting] = [proxy.when(commit, "hold"), proxy.when(committed)];
  client.socket.write(ALL);
  await held.fired;
  await server.receives(EXPECTED_BEFORE.length);
  await proxy.close();
  await proxy.close();
  held.release();
  await assert.rejects(waiting.fired, (thrown) => hasCode(thrown, "canceled"));
  assert.deepEqual(await Promise.all([client.closed, server.closed]), ["ECONNRESET", "ECONNRESET"]);
  assert.equal(await (await dial(t, proxy.url)).closed, "ECONNREFUSED");
});

test("a client of a target that is away is reset", async (t) => {
  const away = await createPostgresProxy("postgres://127.0.0.1:1/app");
  t.after(() => away.close());
  const client = await dial(t, away.url);
  assert.equal(await client.closed, "ECONNRESET");
});

/** Looks until a number changes no longer, which is as far as the kernel's buffers and the proxy's bound let it grow. */
async function settled(read: () => number): Promise<number> {
  let before = -1;
  await eventually(() => {
    const isStill = before > 0 && read() === before;
    before = read();
    return isStill;
  });
  return before;
}

const ROW = wire.typed("d", Buffer.alloc(256 * 1024));
const ROWS = 100;

test("a sender waits for a reader that does not read, and nothing is lost", async (t) => {
  const { proxy, client, server } = await connected(t);
  let seen = 0;
  proxy.onMessage(() => seen++);
  client.socket.pause();
  for (let n = 0; n < ROWS; n++) server.socket.write(ROW);
  const passed = await settled(() => seen);
  assert.ok(passed < ROWS, `${passed} of ${ROWS} passed`);
  client.socket.resume();
  await client.receives(ROWS * ROW.length);
  assert.equal(seen, ROWS);
});

test("a sender waits while a message of it is held, and nothing is lost", async (t) => {
  const { proxy, client, server } = await connected(t);
  const trap = proxy.when(commit, "hold");
  client.socket.write(ALL);
  await trap.fired;
  let written = 0;
  for (let n = 0; n < ROWS; n++) client.socket.write(ROW, () => written++);
  const taken = await settled(() => written);
  assert.ok(taken < ROWS, `${taken} of ${ROWS} were taken`);
  trap.release();
  await server.receives(ALL.length + ROWS * ROW.length);
});
