import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { chop, cuts } from "./chop.harness.ts";
import { ReceivedBytes } from "./received-bytes.ts";

test("bytes are taken as they were received, however they arrive and are taken", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), cuts, cuts, (array, arrivals, takes) => {
      const bytes = Buffer.from(array);
      const received = new ReceivedBytes();
      const taken: Buffer[] = [];
      const lengths = [...takes];
      for (const piece of chop(bytes, arrivals)) {
        received.append(piece);
        const length = Math.min(lengths.pop() ?? 1, received.length);
        taken.push(received.take(length));
      }
      assert.deepEqual(Buffer.concat([...taken, received.peek()]), bytes);
      assert.equal(received.length, bytes.length - Buffer.concat(taken).length);
    }),
  );
});

test("what arrives in one piece is not copied", () => {
  const received = new ReceivedBytes();
  const chunk = Buffer.from("abcdef");
  received.append(chunk);
  const taken = [received.take(2), received.take(4)];
  assert.deepEqual(taken.map(String), ["ab", "cdef"]);
  assert.ok(taken.every(({ buffer }) => buffer === chunk.buffer));
});

test("what was taken stays as it was when more arrives", () => {
  const received = new ReceivedBytes();
  for (const piece of ["ab", "cd", "ef"]) received.append(Buffer.from(piece));
  const taken = received.take(3);
  for (let n = 0; n < 20; n++) received.append(Buffer.from("xyz"));
  assert.equal(String(taken), "abc");
  assert.equal(String(received.peek().subarray(0, 6)), "defxyz");
});

test("many pieces of one message cost no more than a few copies of it", () => {
  const received = new ReceivedBytes();
  const piece = Buffer.alloc(1024);
  const storages = new Set<ArrayBufferLike>();
  for (let n = 0; n < 4096; n++) {
    received.append(piece);
    storages.add(received.peek().buffer);
  }
  assert.ok(storages.size <= 16, `${storages.size} copies`);
});
