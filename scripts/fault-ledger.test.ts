import assert from "node:assert/strict";
import test from "node:test";
import { faultId, faultLedger, type TestResult, unknownFaults } from "./fault-ledger.ts";
import { FAULT_GROUPS } from "./fault-rows.ts";

const passed = (name: string): TestResult => ({ name, passed: true });

function rowOf(id: string, results: readonly TestResult[]): string | undefined {
  return faultLedger(results)
    .split("\n")
    .find((line) => line.startsWith(`| ${id} `));
}

test("the matrix has every row of every group once, in order", () => {
  const ids = FAULT_GROUPS.flatMap(({ rows }) => rows.map(({ id }) => id));
  const sizes = { A: 14, K: 15, C: 19, D: 11, E: 17, F: 30, G: 14, H: 9, I: 6 };
  const expected = Object.entries(sizes).flatMap(([letter, size]) =>
    Array.from({ length: size }, (_, index) => `${letter}${index + 1}`),
  );
  assert.deepEqual(ids, expected);
});

test("a title claims a fault by its id, a colon and a space", () => {
  assert.equal(faultId("C14: a caller that leaves has its query canceled"), "C14");
  assert.equal(faultId("C14 is not claimed"), undefined);
  assert.equal(faultId("a reply to C14: none"), undefined);
});

test("a fault without a test is not built", () => {
  assert.match(rowOf("F28", []) ?? "", /\| not built +\|$/);
  assert.match(faultLedger([]), /135 faults: 0 passed, 0 failed, 0 skipped, 135 not built\./);
});

test("a fault passes when all its tests do, and one failure is enough to fail it", () => {
  const both = [passed("A1: lag of 0.3 s"), passed("A1: lag of 4 s")];
  assert.match(rowOf("A1", both) ?? "", /\| passed +\|$/);
  assert.match(rowOf("A1", [...both, { name: "A1: lag of 3 s", passed: false }]) ?? "", /\| failed +\|$/);
});

test("a skipped test makes its fault skipped, with the reason", () => {
  const results = [passed("C7: reads"), { name: "C7: writes", passed: true, skip: "needs a server | of its own" }];
  assert.match(rowOf("C7", results) ?? "", /\| skipped: needs a server \\\| of its own +\|$/);
  assert.match(rowOf("C7", [{ name: "C7: writes", passed: true, skip: true }]) ?? "", /\| skipped +\|$/);
});

test("the order in which tests finish does not change the page", () => {
  const results: TestResult[] = [
    { name: "G8: one", passed: true, skip: "no namespaces" },
    { name: "G8: two", passed: true, skip: "as root only" },
    passed("I1: eight at once"),
  ];
  assert.equal(faultLedger(results), faultLedger(results.toReversed()));
});

test("an id that the matrix does not know is reported", () => {
  assert.deepEqual(unknownFaults([passed("Z1: no such row"), passed("A1: known"), passed("A15: beyond the end")]), [
    "A15",
    "Z1",
  ]);
});
