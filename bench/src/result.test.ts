import assert from "node:assert/strict";
import test from "node:test";
import { median, type Round, ratioTo, toContenderResult } from "./result.ts";

const round = (requestsPerSecond: number, errors = 0): Round => ({
  requestsPerSecond,
  p50Ms: 1000 / requestsPerSecond,
  p99Ms: 2,
  cpuMicrosPerRequest: 30,
  residentBytes: 1024,
  transactionsPerRequest: 1,
  commandsPerRequest: 2,
  errors,
});

const go = { system: "Go", isMain: true, title: "Go" } as const;
const parapet = { system: "Parapet", isMain: true, title: "Parapet" } as const;
const farParapet = { system: "Parapet", isMain: false, title: "Parapet, no near cache" } as const;

test("the median is the middle of the sorted values, or the mean of the two in the middle", () => {
  assert.equal(median([7]), 7);
  assert.equal(median([100, 2, 30]), 30);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.ok(Number.isNaN(median([])));
});

test("a contender's rounds become medians, with the range of throughput and all errors", () => {
  assert.deepEqual(toContenderResult(go, [round(1000, 1), round(4000), round(2000, 2)]), {
    ...go,
    ...round(2000),
    lowestPerSecond: 1000,
    highestPerSecond: 4000,
    errors: 3,
  });
});

test("a ratio is one of throughputs, to the other system's main contender", () => {
  const contenders = [
    toContenderResult(farParapet, [round(1500)]),
    toContenderResult(parapet, [round(3000)]),
    toContenderResult(go, [round(1000)]),
  ] as const;
  const workload = { title: "get", targetToGo: 2.5, contenders };
  assert.equal(ratioTo("Go", contenders[1], workload), 3);
  assert.equal(ratioTo("Go", contenders[2], workload), 1);
  assert.equal(ratioTo("Parapet", contenders[0], workload), 0.5);
  assert.equal(ratioTo("Fastify", contenders[1], workload), undefined);
});
