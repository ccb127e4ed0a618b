import assert from "node:assert/strict";
import { hasCode } from "parapet/errors";
import type { Frames } from "./chop.harness.ts";

/** Asserts that this throws `invalid`, with a message like this. */
export function throwsInvalid(read: () => unknown, message = /./): void {
  assert.throws(read, (thrown: unknown) => {
    assert.ok(hasCode(thrown, "invalid"), String(thrown));
    assert.match(thrown.message, message);
    return true;
  });
}

/** What is read until the pieces end or are refused, which must be as `invalid`. */
export function readUntilInvalid<Message>(frames: Frames<Message>, pieces: readonly Buffer[]) {
  const read: Message[] = [];
  try {
    for (const piece of pieces) {
      frames.receive(piece);
      for (let message = frames.next(); message !== undefined; message = frames.next()) read.push(message);
    }
    return { read, isInvalid: false };
  } catch (thrown) {
    assert.ok(hasCode(thrown, "invalid"), String(thrown));
    return { read, isInvalid: true };
  }
}
