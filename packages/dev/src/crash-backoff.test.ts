import assert from "node:assert/strict";
import { test } from "node:test";
import { CrashBackoff } from "./crash-backoff.ts";

test("the wait doubles with each crash, up to eight seconds", () => {
  const backoff = new CrashBackoff();
  assert.deepEqual(
    Array.from({ length: 6 }, () => backoff.next(0)),
    [500, 1_000, 2_000, 4_000, 8_000, 8_000],
  );
});

test("a process that lived long, and a new program, begin again", () => {
  const backoff = new CrashBackoff();
  backoff.next(0);
  backoff.next(0);
  assert.equal(backoff.next(10_000), 500);
  backoff.reset();
  assert.equal(backoff.next(0), 500);
});
