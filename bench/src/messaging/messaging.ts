import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectBroker } from "amqplib";
import { queuesOf } from "parapet/messaging";
import { STANDARD_DATABASE_URL } from "../backing.ts";
import { connect as connectDatabase, describeDurable } from "../bench-database.ts";
import { describeMachine } from "../conditions.ts";
import { assertProc } from "../process-usage.ts";
import { writeReport } from "../write-report.ts";
import { formatMessagingReport, type MessagingRound } from "./messaging-report.ts";
import { now } from "./worker.ts";
import { WorkerProcess } from "./worker-process.ts";

export interface MessagingOptions {
  /** One short round each, printed and not written down. */
  readonly quick: boolean;
  readonly signal: AbortSignal;
}

/** One of those that are compared. */
interface System {
  readonly title: string;
  readonly worker: "parapet-worker.ts" | "bare-worker.ts";
  /** How many messages a consumer may have under way. */
  readonly prefetch: number;
}

interface Plan {
  readonly rounds: number;
  /** Published before anything is measured. */
  readonly warmUp: number;
  /** Published as fast as it goes. */
  readonly count: number;
  /** Published at a rate that all of them can follow, to see how long one is under way. */
  readonly steady: { readonly count: number; readonly perSecond: number };
}

const SYSTEMS: readonly System[] = [
  { title: "amqplib alone, prefetch 10", worker: "bare-worker.ts", prefetch: 10 },
  { title: "amqplib alone, prefetch 100", worker: "bare-worker.ts", prefetch: 100 },
  { title: "Parapet as it is, prefetch 10", worker: "parapet-worker.ts", prefetch: 10 },
  { title: "Parapet, prefetch 100", worker: "parapet-worker.ts", prefetch: 100 },
];
const COMPLETE: Plan = { rounds: 3, warmUp: 3000, count: 10_000, steady: { count: 2000, perSecond: 200 } };
const QUICK: Plan = { rounds: 1, warmUp: 500, count: 2000, steady: { count: 400, perSecond: 200 } };
const STANDARD_AMQP_URL = "amqp://guest:guest@127.0.0.1:5672";

/**
 * Messages from commit to effect, beside amqplib alone as the ceiling: prints the figures, and writes those of a complete run down.
 * Throws `unavailable` when PostgreSQL or RabbitMQ does not answer, or a worker ends.
 */
export async function messaging({ quick, signal }: MessagingOptions): Promise<void> {
  assertProc();
  const plan = quick ? QUICK : COMPLETE;
  const folder = await mkdtemp(join(tmpdir(), "parapet-bench-"));
  try {
    const servers = await openServers(process.env);
    try {
      const conditions = describeConditions(servers, plan, quick);
      const rounds: MessagingRound[] = [];
      for (let number = 1; number <= plan.rounds; number++) {
        for (const system of SYSTEMS) {
          const round = await runRound(system, { plan, servers, folder, signal });
          rounds.push(round);
          console.log(`round ${number}, ${system.title}: ${Math.round(round.perSecond)} messages/s`);
        }
      }
      const report = formatMessagingReport({ conditions, rounds });
      console.log(`\n${report}`);
      if (!quick) await writeReport("messaging", report);
    } finally {
      await servers.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Servers = Awaited<ReturnType<typeof openServers>>;

/** The servers of the run, on which each round has databases and queues of its own. */
async function openServers(env: NodeJS.ProcessEnv) {
  const databaseUrl = env.DATABASE_URL || STANDARD_DATABASE_URL;
  const amqpUrl = env.AMQP_URL || STANDARD_AMQP_URL;
  const database = await connectDatabase(databaseUrl);
  const broker = await connectBroker(amqpUrl);
  const versions = {
    postgres: await describeDurable(database),
    rabbit: String(broker.connection.serverProperties.version),
  };
  return {
    amqpUrl,
    versions,
    createDatabase: async (name: string): Promise<string> => {
      await database.query(`create database ${name}`);
      return Object.assign(new URL(databaseUrl), { pathname: `/${name}` }).href;
    },
    dropDatabase: async (name: string) => void (await database.query(`drop database if exists ${name} with (force)`)),
    deleteQueues: async (group: string) => {
      const channel = await broker.createChannel();
      const { main, retries, parking } = queuesOf(group);
      for (const queue of [group, main, ...retries, parking]) await channel.deleteQueue(queue);
      await channel.close();
    },
    stop: async () => {
      await broker.close();
      await database.end();
    },
  };
}

function describeConditions({ versions }: Servers, plan: Plan, quick: boolean): string[] {
  const { rounds, warmUp, count, steady } = plan;
  return [
    `\`npm run bench -- messaging${quick ? " --quick" : ""}\`, ${new Date().toISOString().slice(0, 10)}`,
    `${rounds} rounds in turns, each on processes, databases and queues of its own, after ${warmUp} messages of warm-up; medians shown`,
    `messages/s: ${count} messages as fast as they go, 64 publishes under way; p50 and p99: ${steady.count} at ${steady.perSecond} a second`,
    describeMachine(),
    `load average ${loadavg()[0]?.toFixed(2)} before the run; all on this one machine`,
    `PostgreSQL ${versions.postgres}, RabbitMQ ${versions.rabbit}, Node ${process.version}`,
  ];
}

interface RoundOptions {
  readonly plan: Plan;
  readonly servers: Servers;
  readonly folder: string;
  readonly signal: AbortSignal;
}

async function runRound(system: System, options: RoundOptions): Promise<MessagingRound> {
  const { servers } = options;
  const group = `bench_${randomBytes(4).toString("hex")}`;
  const names = [`parapet_${group}_p`, `parapet_${group}_c`];
  try {
    const [publisherUrl = "", consumerUrl = ""] = await Promise.all(names.map(servers.createDatabase));
    return await measure(system, { ...options, group, publisherUrl, consumerUrl });
  } finally {
    for (const name of names) await servers.dropDatabase(name);
    await servers.deleteQueues(group);
  }
}

interface MeasureOptions extends RoundOptions {
  readonly group: string;
  readonly publisherUrl: string;
  readonly consumerUrl: string;
}

async function measure({ title, worker, prefetch }: System, options: MeasureOptions): Promise<MessagingRound> {
  const { plan, servers, folder, signal, group, publisherUrl, consumerUrl } = options;
  const start = (role: string, databaseUrl: string) =>
    WorkerProcess.start({
      file: worker,
      args: [role, group, String(prefetch)],
      env: { DATABASE_URL: databaseUrl, AMQP_URL: servers.amqpUrl },
      logFile: join(folder, `${role}.log`),
      signal,
    });
  // First: what nobody has subscribed to is not delivered.
  const consumer = await start("consume", consumerUrl);
  try {
    const publisher = await start("publish", publisherUrl);
    try {
      let first = 0;
      const send = async (count: number, perSecond?: number) => {
        const orders = { first, count };
        first += count;
        const startedAt = now();
        const [sent, done] = await Promise.all([
          publisher.times({ kind: "publish", ...orders, ...(perSecond !== undefined && { perSecond }) }),
          consumer.times({ kind: "expect", ...orders }),
        ]);
        return {
          seconds: (Math.max(...done) - startedAt) / 1000,
          underWayMs: done.map((at, i) => at - (sent[i] ?? at)),
        };
      };
      await send(plan.warmUp);
      const before = [publisher.cpuMicros(), consumer.cpuMicros()];
      const { seconds } = await send(plan.count);
      const cpuMicros = [publisher.cpuMicros(), consumer.cpuMicros()].map((micros, i) => micros - (before[i] ?? 0));
      const { underWayMs } = await send(plan.steady.count, plan.steady.perSecond);
      return {
        title,
        perSecond: plan.count / seconds,
        p50Ms: percentile(underWayMs, 50),
        p99Ms: percentile(underWayMs, 99),
        publisherCpuMicros: (cpuMicros[0] ?? 0) / plan.count,
        consumerCpuMicros: (cpuMicros[1] ?? 0) / plan.count,
      };
    } finally {
      await publisher.stop();
    }
  } finally {
    await consumer.stop();
  }
}

/** An effect may be seen before its commit is known of: that is no time at all. */
function percentile(values: readonly number[], percent: number): number {
  const sorted = values.map((value) => Math.max(0, value)).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN;
}
