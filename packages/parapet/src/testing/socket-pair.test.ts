import assert from "node:assert/strict";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { socketPair } from "./socket-pair.ts";

test("what one end writes the other reads, both ways, and not in the same turn", async () => {
  const [client, server] = socketPair();
  let isHeard = false;
  server.on("data", (bytes) => {
    isHeard = true;
    server.end(`<${bytes}>`);
  });
  client.write("hello");
  assert.equal(isHeard, false);
  assert.equal(await text(client), "<hello>");
});

test("a client that ends still reads what the server has to say, and then both are closed", async () => {
  const [client, server] = socketPair();
  const replied = text(client);
  client.end("last words");
  assert.equal(await text(server), "last words");
  assert.ok(server.writable);
  server.end("heard");
  assert.equal(await replied, "heard");
  await Promise.all([closed(client), closed(server)]);
});

test("a writer waits for its reader", async () => {
  const [client, server] = socketPair();
  const sent = Buffer.alloc(1 << 20, "x");
  let isWritten = false;
  for (let at = 0; at < sent.length; at += 1 << 14) client.write(sent.subarray(at, at + (1 << 14)));
  client.end(() => {
    isWritten = true;
  });
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
  assert.equal(isWritten, false);
  assert.ok(client.writableLength > 0 && server.readableLength < sent.length);
  assert.equal(await text(server), sent.toString());
  assert.equal(isWritten, true);
});

test("destroying one end ends the other", async () => {
  const [client, server] = socketPair();
  const heard = text(server);
  await new Promise((resolve) => client.write("half a requ", resolve));
  client.destroy();
  assert.equal(await heard, "half a requ");
});

test("a reset is an error on the other end", async () => {
  const [client, server] = socketPair();
  const failed = once(server, "error");
  Reflect.get(client, "resetAndDestroy")();
  const [error] = await failed;
  assert.equal(error.code, "ECONNRESET");
  assert.ok(client.destroyed && server.destroyed);
});

test("writing to an end that is gone is an error", async () => {
  const [client, server] = socketPair();
  server.destroy();
  const failed = once(client, "error");
  client.write("anyone?");
  const [error] = await failed;
  assert.equal(error.code, "EPIPE");
});

test("bytes are counted", async () => {
  const [client, server] = socketPair();
  client.end("12345");
  await text(server);
  assert.deepEqual([Reflect.get(client, "bytesWritten"), Reflect.get(server, "bytesRead")], [5, 5]);
  assert.deepEqual([Reflect.get(server, "bytesWritten"), Reflect.get(client, "bytesRead")], [0, 0]);
});

// Not node:stream/consumers: that destroys the stream when it has read it.
async function text(end: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  end.on("data", (bytes) => chunks.push(bytes));
  await once(end, "end");
  return Buffer.concat(chunks).toString();
}

async function closed(end: Duplex): Promise<void> {
  if (!end.closed) await once(end, "close");
}
