import assert from "node:assert/strict";
import test from "node:test";
import { parseResidentBytes, parseStat, treeOf } from "./process-usage.ts";

const REST = "S 7 14451 9228 0 -1 4194304 102 0 0 0 250 31 0 0 20 0 1 0 316263 3133440 386";

test("a stat line gives the parent and the time in user and system mode", () => {
  assert.deepEqual(parseStat(`42 (node) ${REST}`), { pid: 42, parent: 7, cpuMicros: 2_810_000 });
});

test("a command with spaces and parentheses does not shift the fields", () => {
  assert.deepEqual(parseStat(`42 (a) b (c) ${REST}`), { pid: 42, parent: 7, cpuMicros: 2_810_000 });
});

test("a process that is gone has no stat and no memory", () => {
  assert.equal(parseStat(""), undefined);
  assert.equal(parseResidentBytes(""), 0);
});

test("resident memory is read in bytes", () => {
  assert.equal(parseResidentBytes("VmHWM:\t  999 kB\nVmRSS:\t   72340 kB\nRssAnon:\t 1 kB\n"), 72_340 * 1024);
});

test("a tree is a process with its children and theirs, and nobody else", () => {
  const stat = (pid: number, parent: number) => ({ pid, parent, cpuMicros: 1 });
  const processes = [stat(1, 0), stat(2, 1), stat(3, 2), stat(4, 2), stat(5, 1)];
  assert.deepEqual(
    treeOf(2, processes).map(({ pid }) => pid),
    [2, 3, 4],
  );
  assert.deepEqual(treeOf(9, processes), []);
});
