import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "./eventually.ts";
import { faultProxy } from "./fault-proxy.ts";
import { LOOPBACK, listenOnLoopback } from "./loopback.ts";

/** A server that answers every chunk with the same chunk, and what reaches it. */
async function echo(t: TestContext) {
  const received: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      received.push(bytes);
      socket.write(bytes);
    });
  });
  const port = await listenOnLoopback(server);
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    url: `tcp://user:secret@localhost:${port}/db?x=1`,
    received: () => Buffer.concat(received).toString(),
    sockets,
  };
}

/** A client that keeps what it receives. */
async function dial(t: TestContext, url: string) {
  const socket = connect(Number(new URL(url).port), LOOPBACK);
  t.after(() => void socket.destroy());
  const received: Buffer[] = [];
  let error: string | undefined;
  const closed = new Promise<string>((resolve) => {
    socket.on("error", (thrown: NodeJS.ErrnoException) => {
      error = thrown.code;
    });
    socket.on("close", () => resolve(error ?? "closed"));
  });
  socket.on("data", (bytes) => received.push(bytes));
  await Promise.race([new Promise<void>((resolve) => socket.once("connect", resolve)), closed]);
  const text = () => Buffer.concat(received).toString();
  const receives = async (expected: string) => {
    while (text().length < expected.length) await once(socket, "data", { signal: AbortSignal.timeout(5_000) });
    assert.equal(text(), expected);
  };
  return { socket, closed, text, receives };
}

test("the proxy's URL is the target's, with another host and port", async (t) => {
  const { url } = await faultProxy(t, "postgres://ada:p%40ss@db.example/app?sslmode=disable");
  const { port } = new URL(url);
  assert.equal(url, `postgres://ada:p%40ss@127.0.0.1:${port}/app?sslmode=disable`);
});

test("a target without a host is refused", async (t) => {
  await assert.rejects(faultProxy(t, "postgres:///app?host=/tmp"), /needs a URL with a host/);
});

test("bytes pass both ways, connections are counted, and a close is passed on", async (t) => {
  const target = await echo(t);
  const proxy = await faultProxy(t, target.url);
  const client = await dial(t, proxy.url);
  client.socket.write("hello");
  await client.receives("hello");
  assert.deepEqual([proxy.accepted, proxy.open], [1, 1]);
  client.socket.end("!");
  assert.equal(await client.closed, "closed");
  assert.equal(client.text(), "hello!");
  await eventually(() => proxy.open === 0 && target.sockets.size === 0);
});

test("a mebibyte passes unharmed to a reader that is slow to start", async (t) => {
  const target = await echo(t);
  const proxy = await faultProxy(t, target.url);
  const client = await dial(t, proxy.url);
  const sent = Array.from({ length: 1 << 17 }, (_, i) => String(i % 1e7).padStart(8, "0")).join("");
  client.socket.pause();
  client.socket.write(sent);
  await delay(20);
  client.socket.resume();
  await client.receives(sent);
});

test("while it refuses, connects fail, open connections go on, and afterwards the same URL works again", async (t) => {
  const target = await echo(t);
  const proxy = await faultProxy(t, target.url);
  const open = await dial(t, proxy.url);
  await proxy.refuse();
  const { url } = proxy;
  assert.equal(await (await dial(t, url)).closed, "ECONNREFUSED");
  open.socket.write("still here");
  await open.receives("still here");
  await proxy.pass();
  assert.equal(proxy.url, url);
  const later = await dial(t, url);
  later.socket.write("back");
  await later.receives("back");
});

test("latency delays each way, without holding later bytes back any longer", async (t) => {
  const target = await echo(t);
  const proxy = await faultProxy(t, target.url);
  const client = await dial(t, proxy.url);
  await proxy.latency(40);
  const started = performance.now();
  for (let i = 0; i < 10; i++) {
    client.socket.write(String(i));
    await delay(2);
  }
  await client.receives("0123456789");
  const took = performance.now() - started;
  assert.ok(took >= 80 && took < 400, `took ${took} ms`);
});

test("nothing passes a black hole, not even a close, until it is over", async (t) => {
  const target = await echo(t);
  const proxy = await faultProxy(t, target.url);
  const open = await dial(t, proxy.url);
  const leaving = await dial(t, proxy.url);
  leaving.socket.write("a");
  await leaving.receives("a");
  await proxy.blackhole();
  const late = await dial(t, proxy.url);
  open.socket.write("b");
  late.socket.write("c");
  leaving.socket.resetAndDestroy();
  await eventually(() => target.sockets.size === 3);
  await delay(30);
  assert.deepEqual([target.received(), target.sockets.size, open.text(), late.text()], ["a", 3, "", ""]);
  await proxy.pass();
  await Promise.all([open.receives("b"), late.receives("c")]);
  await eventually(() => target.sockets.size === 2);
});

test("a reset tears both sides of what is open, and new connections are welcome", async (t) => {
  const target = await echo(t);
  const proxy = await faultProxy(t, target.url);
  const client = await dial(t, proxy.url);
  client.socket.write("x");
  await client.receives("x");
  proxy.reset();
  assert.equal(await client.closed, "ECONNRESET");
  await eventually(() => target.sockets.size === 0 && proxy.open === 0);
  const next = await dial(t, proxy.url);
  next.socket.write("y");
  await next.receives("y");
});

test("a cut lets so many bytes of the reply through and then ends the connection", async (t) => {
  const target = await echo(t);
  const proxy = await faultProxy(t, target.url);
  const client = await dial(t, proxy.url);
  client.socket.write("before");
  await client.receives("before");
  await proxy.cut(4);
  client.socket.write("0123456789");
  assert.equal(await client.closed, "closed");
  assert.equal(client.text(), "before0123");
  await eventually(() => target.sockets.size === 0);
});

test("a cut at zero loses the whole reply, after the target had the request", async (t) => {
  const target = await echo(t);
  const proxy = await faultProxy(t, target.url);
  await proxy.cut(0);
  const client = await dial(t, proxy.url);
  client.socket.write("commit");
  assert.equal(await client.closed, "closed");
  assert.deepEqual([target.received(), client.text()], ["commit", ""]);
});

test("slices arrive a few bytes at a time", async (t) => {
  const target = await echo(t);
  const proxy = await faultProxy(t, target.url);
  const client = await dial(t, proxy.url);
  await proxy.slice(3, 5);
  const sizes: number[] = [];
  client.socket.on("data", (bytes) => sizes.push(bytes.length));
  client.socket.write("0123456789");
  await client.receives("0123456789");
  assert.ok(sizes.length >= 3 && Math.max(...sizes) <= 6, `sizes ${sizes}`);
});

test("flips change single bits of what comes back, about one in so many bytes, and nothing of what is sent", async (t) => {
  const target = await echo(t);
  const proxy = await faultProxy(t, target.url);
  const client = await dial(t, proxy.url);
  const received: Buffer[] = [];
  client.socket.on("data", (bytes) => received.push(bytes));
  await proxy.flip(100);
  const sent = Buffer.alloc(100_000, "x");
  client.socket.write(sent);
  await eventually(() => Buffer.concat(received).length === sent.length);
  const bits = Buffer.concat(received).map((byte) => byte ^ "x".charCodeAt(0));
  const changed = bits.filter((byte) => byte !== 0);
  assert.ok(changed.length > 700 && changed.length < 1400, `${changed.length} bytes are others`);
  assert.ok(changed.every((byte) => (byte & (byte - 1)) === 0));
  assert.equal(target.received(), sent.toString());
});

test("a fault applies to what the one before it held back", async (t) => {
  const target = await echo(t);
  const proxy = await faultProxy(t, target.url);
  const client = await dial(t, proxy.url);
  await proxy.latency(60_000);
  client.socket.write("soon");
  await delay(5);
  await proxy.pass();
  await client.receives("soon");
});

test("a port that is refused stays the proxy's own: it is none of those that systems hand out", async (t) => {
  const { url } = await echo(t);
  for (let n = 0; n < 20; n++) {
    const port = Number(new URL((await faultProxy(t, url)).url).port);
    assert.ok(port >= 16_384 && port < 32_768, String(port));
  }
});

test("a client of a target that is away is reset", async (t) => {
  const server = createServer();
  const port = await listenOnLoopback(server);
  server.close();
  const proxy = await faultProxy(t, `tcp://localhost:${port}`);
  const client = await dial(t, proxy.url);
  assert.equal(await client.closed, "ECONNRESET");
});
