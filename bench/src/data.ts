import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppError } from "parapet/errors";
import { type Backing, createBacking } from "./backing.ts";
import { describeConditions } from "./conditions.ts";
import { formatDataReport } from "./data-report.ts";
import { assertProc } from "./process-usage.ts";
import type { WorkloadResult } from "./result.ts";
import { type Plan, runWorkload } from "./rounds.ts";
import { compareAnswers } from "./same-answers.ts";
import { openSystems, type System } from "./systems.ts";
import { copyUsersServer } from "./users-server.ts";
import { WORKLOADS } from "./workloads.ts";
import { writeReport } from "./write-report.ts";
import { assertWrk } from "./wrk.ts";

export interface DataOptions {
  /** One short round each, printed and not written down. */
  readonly quick: boolean;
  readonly signal: AbortSignal;
}

// Three rounds give a median; three seconds are enough for V8 to have compiled what a request runs through.
const COMPLETE: Plan = { rounds: 3, seconds: 5, warmUpSeconds: 3, connections: 64 };
const QUICK: Plan = { rounds: 1, seconds: 2, warmUpSeconds: 1, connections: 64 };

/**
 * The users service beside Fastify and Go, on one PostgreSQL and one Redis: prints the figures, and writes those of a
 * complete run down. Throws `invalid` when something is missing, `unavailable` when a request failed.
 */
export async function data({ quick, signal }: DataOptions): Promise<void> {
  assertProc();
  await assertWrk();
  const folder = await mkdtemp(join(tmpdir(), "parapet-bench-"));
  try {
    const usersServer = await copyUsersServer(folder);
    const systems = await openSystems({ usersServer, folder, signal });
    const backing = await createBacking(process.env, { usersServer, folder });
    try {
      await compare({ systems, backing, folder, quick, signal });
    } finally {
      await backing.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Comparison extends DataOptions {
  readonly systems: readonly System[];
  readonly backing: Backing;
  readonly folder: string;
}

async function compare({ systems, backing, folder, quick, signal }: Comparison): Promise<void> {
  const plan = quick ? QUICK : COMPLETE;
  const conditions = await describeConditions({ systems, backing, plan, quick });
  const remarks = await compareAnswers({ systems, backing, folder, signal });
  const results: WorkloadResult[] = [];
  for (const workload of WORKLOADS) {
    results.push(await runWorkload(workload, { systems, backing, folder, plan, signal }));
  }
  const report = formatDataReport({ conditions: [...conditions, ...remarks], results });
  console.log(`\n${report}`);
  const errors = results.flatMap(({ contenders }) => contenders).reduce((sum, { errors }) => sum + errors, 0);
  if (errors > 0) throw new AppError("unavailable", `${errors} requests failed: these figures say nothing`);
  if (!quick) await writeReport("data", report);
}
