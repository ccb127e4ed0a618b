import type { Contender } from "./contenders.ts";

/** The figures of one round. */
export interface Round {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Time of all cores that the server took for a request, in microseconds. */
  readonly cpuMicrosPerRequest: number;
  readonly residentBytes: number;
  /** What a request asked of PostgreSQL and of Redis. */
  readonly transactionsPerRequest: number;
  readonly commandsPerRequest: number;
  readonly errors: number;
}

/** What a contender's rounds came to: the medians, the range of its throughput, and the sum of its errors. */
export interface ContenderResult extends Round, Pick<Contender, "system" | "isMain" | "title"> {
  readonly lowestPerSecond: number;
  readonly highestPerSecond: number;
}

/** A workload's results, in the order in which the contenders ran. */
export interface WorkloadResult {
  readonly title: string;
  readonly targetToGo: number;
  readonly contenders: readonly ContenderResult[];
}

/** The middle value; of an even number, the mean of the two in the middle. Not a number for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low = Number.NaN, high = low] = sorted.slice(
    Math.ceil(sorted.length / 2) - 1,
    Math.floor(sorted.length / 2) + 1,
  );
  return (low + high) / 2;
}

/** Sums a contender's rounds up. */
export function toContenderResult(
  { system, isMain, title }: Pick<Contender, "system" | "isMain" | "title">,
  rounds: readonly Round[],
): ContenderResult {
  const perSecond = rounds.map(({ requestsPerSecond }) => requestsPerSecond);
  return {
    system,
    isMain,
    title,
    requestsPerSecond: median(perSecond),
    lowestPerSecond: Math.min(...perSecond),
    highestPerSecond: Math.max(...perSecond),
    p50Ms: median(rounds.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(rounds.map(({ p99Ms }) => p99Ms)),
    cpuMicrosPerRequest: median(rounds.map(({ cpuMicrosPerRequest }) => cpuMicrosPerRequest)),
    residentBytes: median(rounds.map(({ residentBytes }) => residentBytes)),
    transactionsPerRequest: median(rounds.map(({ transactionsPerRequest }) => transactionsPerRequest)),
    commandsPerRequest: median(rounds.map(({ commandsPerRequest }) => commandsPerRequest)),
    errors: rounds.reduce((sum, { errors }) => sum + errors, 0),
  };
}

/** How many times as many requests a second as a system's main contender; undefined when it did not run. */
export function ratioTo(
  system: Contender["system"],
  { requestsPerSecond }: ContenderResult,
  { contenders }: WorkloadResult,
): number | undefined {
  const other = contenders.find((contender) => contender.system === system && contender.isMain);
  return other && requestsPerSecond / other.requestsPerSecond;
}
