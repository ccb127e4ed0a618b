import assert from "node:assert/strict";
import test from "node:test";
import { formatDataReport } from "./data-report.ts";
import type { ContenderResult } from "./result.ts";

const figures = {
  isMain: true,
  requestsPerSecond: 10_000,
  lowestPerSecond: 9_500,
  highestPerSecond: 10_500,
  p50Ms: 6.283,
  p99Ms: 12,
  cpuMicrosPerRequest: 81.27,
  residentBytes: 100 * 1024 ** 2,
  transactionsPerRequest: 0.016,
  commandsPerRequest: 1.004,
  errors: 0,
};
const parapet: ContenderResult = { ...figures, system: "Parapet", title: "Parapet", requestsPerSecond: 25_000 };
const farParapet: ContenderResult = { ...parapet, title: "Parapet, no near cache", isMain: false };
const fastify: ContenderResult = { ...figures, system: "Fastify", title: "Fastify", requestsPerSecond: 12_500 };
const go: ContenderResult = { ...figures, system: "Go", title: "Go" };

function cellsOf(title: string, contenders: readonly ContenderResult[]): string[] | undefined {
  return formatDataReport({ conditions: [], results: [{ title: "get", targetToGo: 2.5, contenders }] })
    .split("\n")
    .find((line) => line.startsWith(`| ${title} `))
    ?.split("|")
    .map((cell) => cell.trim())
    .slice(2, -1);
}

test("a row has the figures, both ratios, and beside the one to Go what we claim", () => {
  assert.deepEqual(cellsOf("Parapet", [parapet, fastify, go]), [
    ...["25,000", "9,500–10,500", "6.28", "12.00", "81.3", "100", "0.02", "1.00", "0"],
    ...["2.50", "2.5 met", "2.00"],
  ]);
});

test("a ratio below the target is missed, and only the main contender has one", () => {
  const slow = { ...parapet, requestsPerSecond: 24_000 };
  assert.deepEqual(cellsOf("Parapet", [slow, fastify, go])?.slice(-3), ["2.40", "2.5 missed", "1.92"]);
  assert.equal(cellsOf("Parapet, no near cache", [slow, farParapet, go])?.at(-2), "");
  assert.equal(cellsOf("Go", [slow, go])?.at(-2), "");
});

test("without the Go peer, and after errors, the target is not judged", () => {
  assert.deepEqual(cellsOf("Parapet", [parapet, fastify])?.slice(-3), ["–", "2.5", "2.00"]);
  assert.equal(cellsOf("Parapet", [parapet, { ...go, errors: 1 }])?.at(-2), "2.5");
});

test("the conditions stand above the tables, a line each", () => {
  const report = formatDataReport({ conditions: ["two cores", "fsync on"], results: [] });
  assert.match(report, /\n- two cores\n- fsync on\n$/);
});
