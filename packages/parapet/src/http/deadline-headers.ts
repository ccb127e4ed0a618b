import type { IncomingHttpHeaders } from "node:http";

// gRPC over HTTP/2, "Requests": up to eight digits and a unit.
const GRPC_TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const GRPC_UNIT_MS = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 } as const;
// Connect protocol: up to ten digits. Envoy's header is of the same kind.
const MILLISECONDS = /^\d{1,10}$/;

/** With less there is no point in beginning. */
export const LEAST_BUDGET_MS = 5;

/**
 * The time that the callers' own deadlines leave, in milliseconds: the least of `x-envoy-expected-rq-timeout-ms`,
 * `grpc-timeout` and `connect-timeout-ms`; infinite without one. All are relative, so that clocks need not agree. One that
 * can't be read is passed to `onInvalid` and counts for nothing.
 */
export function callerBudgetMs(headers: IncomingHttpHeaders, onInvalid: () => void): number {
  let budgetMs = Number.POSITIVE_INFINITY;
  for (const [name, read] of READERS) {
    const header = headers[name];
    if (header === undefined) continue;
    const ms = typeof header === "string" ? read(header) : undefined;
    if (ms === undefined) onInvalid();
    else budgetMs = Math.min(budgetMs, ms);
  }
  return budgetMs;
}

type Read = (header: string) => number | undefined;

const READERS: readonly (readonly [name: string, read: Read])[] = [
  ["x-envoy-expected-rq-timeout-ms", toMilliseconds],
  ["grpc-timeout", grpcMilliseconds],
  ["connect-timeout-ms", toMilliseconds],
];

function toMilliseconds(header: string): number | undefined {
  return MILLISECONDS.test(header) ? Number(header) : undefined;
}

function grpcMilliseconds(header: string): number | undefined {
  const [, digits, unit] = GRPC_TIMEOUT.exec(header) ?? [];
  return unit === undefined ? undefined : Number(digits) * GRPC_UNIT_MS[unit as keyof typeof GRPC_UNIT_MS];
}
