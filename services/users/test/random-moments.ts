import type { TestContext } from "node:test";
import fc from "fast-check";

/** So many random times below `belowMs`, in milliseconds. The test tells the seed that gives them again. */
export function randomMoments(
  t: TestContext,
  { count, belowMs }: { readonly count: number; readonly belowMs: number },
): readonly number[] {
  const seed = Date.now() % 2 ** 31;
  const moments = fc.sample(fc.noBias(fc.integer({ min: 0, max: belowMs - 1 })), { seed, numRuns: count });
  t.diagnostic(`seed ${seed}: after ${moments.join(", ")} ms`);
  return moments;
}
