import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { eventually } from "./eventually.ts";
import { listenOnLoopback } from "./loopback.ts";
import { rawConnection, rawRequest } from "./raw-http.ts";

async function serve(t: TestContext, onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onConnection(socket);
  });
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return listenOnLoopback(server);
}

const REPLY = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

test("exactly the given bytes are sent, and all that comes back is given until the server closes", async (t) => {
  const received: Buffer[] = [];
  const port = await serve(t, (socket) => {
    socket.on("data", (bytes) => {
      received.push(bytes);
      socket.end(REPLY + REPLY);
    });
  });
  const { responses, rest, end, received: all } = await rawRequest(port, "GET / HTTP/1.1\r\n\u00ff\0\n");
  assert.deepEqual([...Buffer.concat(received).subarray(-3)], [0xff, 0, 0x0a]);
  assert.equal(all.toString(), REPLY + REPLY);
  assert.deepEqual([responses.length, rest.length, end], [2, 0, "closed"]);
});

test("a reply to HEAD is known to have no body", async (t) => {
  const port = await serve(t, (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"));
  const { responses, rest } = await rawRequest(port, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.deepEqual([responses.length, rest.length], [1, 0]);
});

test("a reset is told from a close", async (t) => {
  const port = await serve(t, (socket) => socket.on("data", () => socket.resetAndDestroy()));
  assert.equal((await rawRequest(port, "x")).end, "reset");
});

test("a server that keeps the connection open is waited for as long as told", async (t) => {
  const port = await serve(t, (socket) => socket.write(REPLY));
  const { end, responses, ms } = await rawRequest(port, "x", { timeoutMs: 50 });
  assert.deepEqual([end, responses.length], ["open", 1]);
  assert.ok(ms >= 45 && ms < 2_000, `${ms} ms`);
});

test("a port on which nobody listens is an error", async (t) => {
  const server = createServer();
  const port = await listenOnLoopback(server);
  server.close();
  await assert.rejects(rawRequest(port, "x"), /no server listens/);
  rawConnection(t, port);
});

test("a connection sends piece by piece, and what came can be read meanwhile", async (t) => {
  const port = await serve(t, (socket) => socket.on("data", (bytes) => socket.write(bytes)));
  const connection = rawConnection(t, port);
  connection.send("a");
  connection.send(Uint8Array.of(0x62));
  await eventually(() => connection.received.length === 2);
  assert.equal(await connection.ended(0), "open");
  assert.equal(connection.received.toString(), "ab");
});

test("one that stops reading lets the server's bytes pile up until it reads on", async (t) => {
  const sockets: Socket[] = [];
  const port = await serve(t, (socket) => sockets.push(socket));
  const connection = rawConnection(t, port);
  connection.stopReading();
  await eventually(() => sockets.length === 1);
  const [socket] = sockets;
  assert.ok(socket !== undefined);
  const sent = Buffer.alloc(32 << 20);
  socket.end(sent);
  assert.equal(await connection.ended(100), "open");
  assert.ok(socket.writableLength > 0 && connection.received.length < sent.length);
  connection.startReading();
  assert.equal(await connection.ended(10_000), "closed");
  assert.equal(connection.received.length, sent.length);
});

test("it can leave by a close and by a reset", async (t) => {
  const ends: string[] = [];
  let arrived = 0;
  const port = await serve(t, (socket) => {
    socket.on("data", () => arrived++);
    socket.on("end", () => ends.push("end"));
    socket.on("error", () => ends.push("reset"));
  });
  const closing = rawConnection(t, port);
  closing.close();
  assert.equal(await closing.ended(5_000), "closed");
  const resetting = rawConnection(t, port);
  resetting.send("x");
  await eventually(() => arrived === 1);
  resetting.reset();
  assert.equal(await resetting.ended(5_000), "closed");
  await eventually(() => ends.length === 2);
  assert.deepEqual(ends, ["end", "reset"]);
});
