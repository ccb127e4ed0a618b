import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachSeed, seededRandom } from "./seeded-random.ts";

const silent = { diagnostic: () => {} };

test("the same seed makes the same choices, another seed others", () => {
  const choices = (seed: number) => {
    const random = seededRandom(silent, seed);
    return Array.from({ length: 50 }, () => random.below(1000));
  };
  assert.deepEqual(choices(7), choices(7));
  assert.notDeepEqual(choices(7), choices(8));
});

test("choices are spread evenly over what there is to choose", () => {
  const random = seededRandom(silent, 1);
  const counts = { a: 0, b: 0, c: 0 };
  for (let n = 0; n < 30_000; n++) counts[random.oneOf(["a", "b", "c"] as const)]++;
  for (const count of Object.values(counts)) assert.ok(Math.abs(count - 10_000) < 400, JSON.stringify(counts));
  const heads = Array.from({ length: 10_000 }, () => random.chance(0.2)).filter(Boolean).length;
  assert.ok(Math.abs(heads - 2000) < 200, `${heads} of 10000`);
});

test("a test tells its seed, so that its choices can be made again", () => {
  const told: string[] = [];
  const { seed } = seededRandom({ diagnostic: (line) => told.push(line) });
  assert.deepEqual(told, [`seed ${seed}`]);
});

test("a body runs with five seeds of its own, one after the other", async () => {
  const seeds: number[] = [];
  const open = new Set<string>();
  await forEachSeed(silent, async ({ seed }, scope) => {
    assert.equal(open.size, 0, "what a seed opened is gone with it");
    for (const name of ["first", "second"]) {
      open.add(name);
      scope.after(async () => {
        assert.equal([...open].at(-1), name, "the last first");
        open.delete(name);
      });
    }
    seeds.push(seed);
  });
  assert.equal(open.size, 0);
  assert.equal(new Set(seeds).size, Number(process.env.SEEDS ?? 5));
});
