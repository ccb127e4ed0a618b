import assert from "node:assert/strict";
import test from "node:test";
import { stalenessChecker } from "./staleness.ts";

const versions = (checker: ReturnType<typeof stalenessChecker>) =>
  checker.violations().map(({ version, expected }) => [version, expected]);

test("without a write nothing is stale", () => {
  const checker = stalenessChecker({ boundMs: 0 });
  checker.read("k", 0, performance.now());
  assert.deepEqual(checker.violations(), []);
});

test("a read that began before the acknowledgement, or within the bound after it, may see what was before", () => {
  const checker = stalenessChecker({ boundMs: 1000 });
  const before = performance.now();
  checker.wrote("k", 1);
  checker.read("k", 0, before);
  checker.read("k", 0, performance.now() + 900);
  assert.deepEqual(checker.violations(), []);
});

test("a read that began later than the bound must see the write, or a later one", () => {
  const checker = stalenessChecker({ boundMs: 1000 });
  checker.wrote("k", 1);
  checker.wrote("other", 7);
  checker.read("k", 0, performance.now() + 1100);
  checker.read("k", 1, performance.now() + 1100);
  checker.read("k", 2, performance.now() + 1100);
  const [violation] = checker.violations();
  assert.equal(checker.violations().length, 1);
  assert.ok(violation && violation.key === "k" && violation.lateMs > 1000 && violation.lateMs < 1200);
});

test("of many writes the latest that is due counts", () => {
  const checker = stalenessChecker({ boundMs: 0 });
  for (const version of [1, 3, 2]) checker.wrote("k", version);
  checker.read("k", 2, performance.now() + 1);
  assert.deepEqual(versions(checker), [[2, 3]]);
});

test("who has seen an acknowledged write never sees what was before it, also within the bound", () => {
  const checker = stalenessChecker({ boundMs: 60_000 });
  checker.wrote("k", 1);
  checker.read("k", 1, performance.now(), "a");
  checker.read("k", 0, performance.now() + 1, "b");
  checker.read("k", 0, performance.now() + 1, "a");
  assert.deepEqual(versions(checker), [[0, 1]]);
});

test("who has seen a write that is not acknowledged may see what was before it", () => {
  const checker = stalenessChecker({ boundMs: 60_000 });
  checker.read("k", 1, performance.now());
  checker.read("k", 0, performance.now() + 1);
  assert.deepEqual(checker.violations(), []);
});
