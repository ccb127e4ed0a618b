import assert from "node:assert/strict";
import test from "node:test";
import { callAtOrSoonAfter } from "./coarse-timer.ts";

test("a call comes at its time or up to 20 ms later, and not when it was taken back", async () => {
  const startedAt = performance.now();
  const calls: number[] = [];
  const call = (ms: number) => callAtOrSoonAfter(startedAt + ms, () => calls.push(ms));
  call(30);
  call(31);
  const takenBack = call(32);
  const never = call(60_000);
  takenBack();
  takenBack();
  await new Promise<void>((resolve) => callAtOrSoonAfter(startedAt + 61, resolve));
  never();
  const ms = performance.now() - startedAt;
  assert.deepEqual(calls, [30, 31]);
  // To the millisecond of Node's own timers, which may be early by a part of one.
  assert.ok(ms >= 60 && ms < 1000, `${ms} ms`);
});

test("one that is taken back within a call of the same step does not come any more", async () => {
  const at = performance.now() + 20;
  const calls: string[] = [];
  let takeBack = (): void => {};
  await new Promise<void>((resolve) => {
    callAtOrSoonAfter(at, () => {
      calls.push("first");
      takeBack();
      resolve();
    });
    takeBack = callAtOrSoonAfter(at, () => calls.push("second"));
  });
  assert.deepEqual(calls, ["first"]);
});
