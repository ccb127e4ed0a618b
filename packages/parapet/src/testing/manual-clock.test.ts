import assert from "node:assert/strict";
import { test } from "node:test";
import { manualClock } from "./manual-clock.ts";

test("a manual clock stands still until it is advanced", () => {
  const { now, advance } = manualClock(new Date("2024-02-28T23:59:59.500Z"));
  assert.equal(now().toISOString(), "2024-02-28T23:59:59.500Z");
  advance(86_400_500);
  assert.equal(now().toISOString(), "2024-03-01T00:00:00.000Z");
  advance(-1);
  assert.equal(now().toISOString(), "2024-02-29T23:59:59.999Z");
});

test("a date that was handed out does not move, and moving it does not move the clock", () => {
  const clock = manualClock();
  const before = clock.now();
  clock.advance(1);
  assert.equal(before.getTime() + 1, clock.now().getTime());
  before.setFullYear(1999);
  assert.equal(clock.now().getUTCFullYear(), 2030);
});
