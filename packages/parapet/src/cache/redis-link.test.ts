import assert from "node:assert/strict";
import test from "node:test";
import { waitMsAfter } from "./redis-link.ts";

test("D11: waits between attempts are drawn at random, double, and are one to two seconds from the sixth failure on", () => {
  for (const failures of [1, 2, 3, 4, 5]) {
    const waits = Array.from({ length: 500 }, () => waitMsAfter(failures));
    const longestMs = 50 * 2 ** (failures - 1);
    assert.ok(Math.min(...waits) < longestMs * 0.1 && Math.max(...waits) > longestMs * 0.9);
    assert.ok(Math.max(...waits) <= longestMs);
  }
  for (const failures of [6, 100, 1e6]) {
    const waits = Array.from({ length: 500 }, () => waitMsAfter(failures));
    assert.ok(Math.min(...waits) >= 1000 && Math.max(...waits) <= 2000);
  }
});
