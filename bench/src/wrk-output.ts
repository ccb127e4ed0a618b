import { AppError } from "parapet/errors";

/** What a load generator saw of one run. */
export interface LoadResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Replies of 400 and above, connections that failed, and replies that did not come in time. */
  readonly errors: number;
}

const UNIT_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Reads what `wrk --latency` prints. Throws `internal` for anything else. */
export function parseWrkOutput(output: string): LoadResult {
  return {
    requests: toNumber(output, /(\d+) requests in /),
    requestsPerSecond: toNumber(output, /Requests\/sec:\s+([\d.]+)/),
    p50Ms: percentileMs(output, 50),
    p99Ms: percentileMs(output, 99),
    errors: socketErrors(output) + Number(/Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? 0),
  };
}

function percentileMs(output: string, percentile: number): number {
  const [, value, unit = ""] = new RegExp(`^\\s+${percentile}%\\s+([\\d.]+)(us|ms|s|m|h)$`, "m").exec(output) ?? [];
  const factor = UNIT_MS[unit];
  if (value === undefined || factor === undefined) throw unreadable(output);
  return Number(value) * factor;
}

function socketErrors(output: string): number {
  const counts = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output)?.slice(1) ?? [];
  return counts.reduce((sum, count) => sum + Number(count), 0);
}

function toNumber(output: string, pattern: RegExp): number {
  const value = pattern.exec(output)?.[1];
  if (value === undefined) throw unreadable(output);
  return Number(value);
}

function unreadable(output: string): AppError {
  return new AppError("internal", "wrk printed something unexpected", { fields: { output } });
}
