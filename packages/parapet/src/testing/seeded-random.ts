import type { TestContext } from "node:test";
import type { TestScope } from "./test-scope.ts";

/** Random choices that come again, in the same order, with the same seed. What a machine does in between does not. */
export interface SeededRandom {
  readonly seed: number;
  /** From 0 up to and without 1. */
  next(): number;
  /** A whole number from 0 up to and without `bound`. */
  below(bound: number): number;
  /** True with this probability, from 0 to 1. */
  chance(probability: number): boolean;
  /** One of `things`, of which there is at least one. */
  oneOf<T>(things: readonly [T, ...T[]]): T;
}

/**
 * The random choices of a test, which tells its seed; `SEED=123` in the environment makes the same ones again. The
 * generator is mulberry32 (Tommy Ettinger): 32 bits of state, good enough to choose by.
 */
export function seededRandom(t: Pick<TestContext, "diagnostic">, seed: number = seedOfRun()): SeededRandom {
  t.diagnostic(`seed ${seed}`);
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (bound: number): number => Math.floor(next() * bound);
  return {
    seed,
    next,
    below,
    chance: (probability) => next() < probability,
    oneOf: (things) => things[below(things.length)] ?? things[0],
  };
}

/**
 * Runs a test's body with several seeds, one after the other: five, or as many as `SEEDS` in the environment says, or the one
 * that `SEED` says. The seed that failed is the last one told. What takes `scope` is gone when its seed is, the last first.
 */
export async function forEachSeed(
  t: Pick<TestContext, "diagnostic">,
  run: (random: SeededRandom, scope: TestScope) => Promise<void>,
): Promise<void> {
  const { SEED, SEEDS = "5" } = process.env;
  const count = SEED === undefined ? Number(SEEDS) : 1;
  for (let n = 0; n < count; n++) {
    const closers: (() => void | Promise<void>)[] = [];
    try {
      await run(seededRandom(t), { after: (close) => closers.push(close) });
    } finally {
      for (const close of closers.reverse()) await close();
    }
  }
}

function seedOfRun(): number {
  const { SEED } = process.env;
  return SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(SEED);
}
