import { randomBytes } from "node:crypto";
import type { Backing } from "./backing.ts";
import { type Contender, toContenders } from "./contenders.ts";
import { usageOf } from "./process-usage.ts";
import { type Round, toContenderResult, type WorkloadResult } from "./result.ts";
import { startServer } from "./server-process.ts";
import type { System } from "./systems.ts";
import type { Workload } from "./workloads.ts";
import { type Load, runWrk } from "./wrk.ts";

/** How long is measured. */
export interface Plan {
  readonly rounds: number;
  readonly seconds: number;
  /** Of load before, in each round. */
  readonly warmUpSeconds: number;
  readonly connections: number;
}

export interface RunOptions {
  readonly systems: readonly System[];
  readonly backing: Backing;
  readonly plan: Plan;
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** Measures a workload, round by round, one contender after the other in each, so that all see the same hours. */
export async function runWorkload(workload: Workload, options: RunOptions): Promise<WorkloadResult> {
  const contenders = toContenders(workload, options.systems, options.backing.addresses);
  const measured = contenders.map((contender) => ({ contender, rounds: [] as Round[] }));
  for (let number = 1; number <= options.plan.rounds; number++) {
    for (const { contender, rounds } of measured) {
      const round = await runRound(contender, workload, options);
      rounds.push(round);
      console.log(`${workload.title}, round ${number}, ${contender.title}: ${describe(round)}`);
    }
  }
  return {
    title: workload.title,
    targetToGo: workload.targetToGo,
    contenders: measured.map(({ contender, rounds }) => toContenderResult(contender, rounds)),
  };
}

function describe({ requestsPerSecond, errors }: Round): string {
  return `${Math.round(requestsPerSecond)} requests/s${errors > 0 ? `, ${errors} errors` : ""}`;
}

async function runRound(contender: Contender, workload: Workload, options: RunOptions): Promise<Round> {
  const before = await options.backing.count();
  const { requests, ...figures } = await loadServer(contender, workload, options);
  const after = await options.backing.count();
  return {
    ...figures,
    transactionsPerRequest: (after.transactions - before.transactions) / requests,
    commandsPerRequest: (after.commands - before.commands) / requests,
  };
}

/** A server of its own for each round: none pays for what another round left in its memory. */
async function loadServer(contender: Contender, workload: Workload, options: RunOptions) {
  const { plan, signal } = options;
  const server = await startServer(contender, options);
  try {
    const load = (seconds: number): Load => ({
      url: server.url + workload.path,
      connections: plan.connections,
      seconds,
      script: workload.script?.({ ...options.backing, tag: `${randomBytes(6).toString("hex")}-` }),
      signal,
    });
    const warmUp = await runWrk(load(plan.warmUpSeconds));
    const before = usageOf(server.pid);
    const result = await runWrk(load(plan.seconds));
    const after = usageOf(server.pid);
    return {
      ...result,
      requests: warmUp.requests + result.requests,
      cpuMicrosPerRequest: (after.cpuMicros - before.cpuMicros) / result.requests,
      residentBytes: after.residentBytes,
      errors: warmUp.errors + result.errors,
    };
  } finally {
    await server.stop();
  }
}
