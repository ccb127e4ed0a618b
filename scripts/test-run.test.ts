import assert from "node:assert/strict";
import test from "node:test";
import { testFiles } from "./test-files.ts";
import { totals } from "./test-run.ts";

test("every test file is found, in order, and a filter picks by a part of the path", () => {
  const all = testFiles();
  assert.ok(all.includes("scripts/test-run.test.ts"));
  assert.ok(all.includes("services/users/test/import-law.test.ts"));
  assert.deepEqual(all, all.toSorted());
  assert.deepEqual(testFiles(["scripts/test-run", "users/test/import-law"]), [
    "scripts/test-run.test.ts",
    "services/users/test/import-law.test.ts",
  ]);
  assert.deepEqual(testFiles(["no such path"]), []);
});

test("a skipped test is neither passed nor failed, and a failed one is failed whatever else it says", () => {
  const results = [
    { name: "a", passed: true },
    { name: "b", passed: true, skip: "needs root" },
    { name: "c", passed: true, skip: true },
    { name: "d", passed: false, skip: true },
    { name: "e", passed: true, skip: false },
  ];
  assert.deepEqual(totals(results), { passed: 2, failed: 1, skipped: 2 });
  assert.deepEqual(totals([]), { passed: 0, failed: 0, skipped: 0 });
});
