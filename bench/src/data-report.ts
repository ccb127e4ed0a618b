import { markdownTable } from "./markdown-table.ts";
import { type ContenderResult, ratioTo, type WorkloadResult } from "./result.ts";

export interface DataReport {
  /** What one has to know to judge the figures, a line each. */
  readonly conditions: readonly string[];
  readonly results: readonly WorkloadResult[];
}

const MIB = 1024 ** 2;

/** The figures as a page of Markdown that can be read as it is. */
export function formatDataReport({ conditions, results }: DataReport): string {
  return [
    "# Data",
    "",
    "The users service beside one of Fastify, pg and ioredis, and one of gorilla/mux, lib/pq and go-redis. CPU is the",
    "server's time on all cores for a request, memory what is resident at the end, SQL and Redis the transactions and",
    "commands for a request; `x Go` compares requests/s.",
    "",
    ...conditions.map((condition) => `- ${condition}`),
    ...results.flatMap((result) => ["", `## ${result.title}`, "", ...markdownTable(HEAD, toRows(result))]),
    "",
  ].join("\n");
}

const HEAD = [
  "system",
  "requests/s",
  "lowest–highest",
  "p50 ms",
  "p99 ms",
  "CPU µs",
  "MiB",
  "SQL",
  "Redis",
  "errors",
  "x Go",
  "target",
  "x Fastify",
] as const;

function toRows(workload: WorkloadResult): string[][] {
  return workload.contenders.map((result) => [
    result.title,
    toThousands(result.requestsPerSecond),
    `${toThousands(result.lowestPerSecond)}–${toThousands(result.highestPerSecond)}`,
    result.p50Ms.toFixed(2),
    result.p99Ms.toFixed(2),
    result.cpuMicrosPerRequest.toFixed(1),
    (result.residentBytes / MIB).toFixed(0),
    result.transactionsPerRequest.toFixed(2),
    result.commandsPerRequest.toFixed(2),
    String(result.errors),
    ratioTo("Go", result, workload)?.toFixed(2) ?? "–",
    toVerdict(result, workload),
    ratioTo("Fastify", result, workload)?.toFixed(2) ?? "–",
  ]);
}

/** Errors spoil a claim: what is refused costs little. */
function toVerdict(result: ContenderResult, workload: WorkloadResult): string {
  if (!result.system.startsWith("Parapet") || !result.isMain) return "";
  const ratio = ratioTo("Go", result, workload);
  if (ratio === undefined || workload.contenders.some(({ errors }) => errors > 0)) return `${workload.targetToGo}`;
  return `${workload.targetToGo} ${ratio >= workload.targetToGo ? "met" : "missed"}`;
}

function toThousands(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
