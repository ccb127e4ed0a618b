import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FLUSH_MS } from "./exit.ts";
import { ABORT_LIMITS, FATAL_LIMITS, gracefulLimits, HURRIED_LIMITS, START_LIMITS } from "./shutdown-limits.ts";

test("whatever the grace period, the parts come in order and the process is gone 2 s before its end", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2500, max: 3_600_000 }), (graceMs) => {
      const { drainMs, abandonMs, totalMs } = gracefulLimits(graceMs);
      assert.ok(0 <= drainMs && drainMs <= abandonMs && abandonMs <= totalMs);
      assert.ok(totalMs + FLUSH_MS <= graceMs - 2000);
    }),
  );
});

test("of the default 30 s, drains have 22.5 s and the stops the last 5 s before the log flush", () => {
  assert.deepEqual(gracefulLimits(30_000), { drainMs: 22_500, abandonMs: 22_750, totalMs: 27_500 });
});

test("a grace period that leaves no time gives none, rather than less", () => {
  assert.deepEqual(gracefulLimits(0), { drainMs: 0, abandonMs: 0, totalMs: 0 });
});

test("a second signal and an end while starting keep their promises with the log flush included", () => {
  assert.ok(ABORT_LIMITS.totalMs + FLUSH_MS <= 1000);
  assert.ok(START_LIMITS.totalMs + FLUSH_MS <= 2000);
  for (const { drainMs, abandonMs, totalMs } of [FATAL_LIMITS, HURRIED_LIMITS, START_LIMITS, ABORT_LIMITS]) {
    assert.ok(drainMs <= abandonMs && abandonMs <= totalMs);
  }
});
