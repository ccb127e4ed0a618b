import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type LoadOptions, type LoadReport, startLoad } from "./load.ts";

export interface SideBySide {
  /** The process that has something else to do too. */
  readonly busy: LoadOptions;
  /** One like it that has nothing else to do. */
  readonly calm: LoadOptions;
  /** How many times as long the busy one's requests may take: the median, and one of a hundred. */
  readonly times: { readonly p50: number; readonly p99: number };
  /** What happens in each second. */
  readonly meanwhile?: () => Promise<void>;
}

const SECONDS = 4;
/** What a machine that does other things too may add. */
const NOISE_MS = { p50: 2, p99: 10 };

/**
 * Holds the requests of a busy process to the times of a calm one, in the same seconds: a machine that does other things too is never the same for long. Of both
 * the best second counts. Throws an assertion, also for a request that fails.
 */
export async function assertHardlySlower(t: TestContext, { busy, calm, times, meanwhile }: SideBySide): Promise<void> {
  const [slower, usual]: [LoadReport[], LoadReport[]] = [[], []];
  for (let second = 0; second < SECONDS; second++) {
    const [one, other] = await Promise.all([secondOf(t, busy), secondOf(t, calm), meanwhile?.()]);
    slower.push(one);
    usual.push(other);
  }
  for (const { failures } of [...slower, ...usual]) assert.deepEqual(failures, {});
  for (const percent of [50, 99] as const) {
    const least = (reports: readonly LoadReport[]) => Math.min(...reports.map((report) => report.latencyMs(percent)));
    const [ms, usualMs] = [least(slower), least(usual)];
    const text = `p${percent} ${ms.toFixed(1)} ms, and ${usualMs.toFixed(1)} ms in a calm process`;
    t.diagnostic(text);
    assert.ok(ms < times[`p${percent}`] * usualMs + NOISE_MS[`p${percent}`], text);
  }
}

/** A second of load. */
export async function secondOf(t: TestContext, options: LoadOptions): Promise<LoadReport> {
  const load = startLoad(t, options);
  await delay(1000);
  return load.stop();
}
