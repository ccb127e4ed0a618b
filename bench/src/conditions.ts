import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";
import type { Backing } from "./backing.ts";
import { goVersions } from "./go-peer.ts";
import type { Plan } from "./rounds.ts";
import { imageNodeOptions, type System } from "./systems.ts";
import { wrkVersion } from "./wrk.ts";

export interface ConditionOptions {
  readonly systems: readonly System[];
  readonly backing: Backing;
  readonly plan: Plan;
  readonly quick: boolean;
}

const GIB = 1024 ** 3;

/** What one has to know to judge the figures, and to measure again: command, machine, settings, versions. */
export async function describeConditions({ systems, backing, plan, quick }: ConditionOptions): Promise<string[]> {
  const { rounds, seconds, warmUpSeconds, connections } = plan;
  const versions = await Promise.all(systems.map(({ name }) => VERSIONS[name]()));
  return [
    `\`npm run bench -- data${quick ? " --quick" : ""}\`, ${new Date().toISOString().slice(0, 10)}`,
    `${rounds} x ${seconds} s after ${warmUpSeconds} s of warm-up, a fresh server each, medians shown`,
    `${connections} connections from wrk ${await wrkVersion()} on one thread; ${backing.ids.length} users`,
    describeMachine(),
    `load average ${loadavg()[0]?.toFixed(2)} before the run; all on this one machine`,
    `PostgreSQL ${backing.database.version}, Redis ${backing.redisVersion}`,
    ...versions,
  ];
}

/** Processor, cores, memory and kernel. */
export function describeMachine(): string {
  const [cpu] = cpus();
  const memory = `${Math.round(totalmem() / GIB)} GiB`;
  return `${cpu?.model.trim()}, ${availableParallelism()} cores, ${memory}, ${type()} ${release()}`;
}

const VERSIONS: Readonly<Record<System["name"], () => Promise<string>>> = {
  Parapet: async () => `Parapet: one process, Node ${process.version} with ${imageNodeOptions()}, as in its image`,
  "Parapet, two processes": async () => "Parapet, two processes: the same twice, behind one port by node:cluster",
  Fastify: async () => {
    const packages = Object.entries(readManifest("bench").dependencies).map((pair) => pair.join(" "));
    return `Fastify: one process, Node ${process.version}, ${packages.join(", ")}`;
  },
  Go: async () => {
    const { go, packages } = await goVersions();
    return `Go: one process on all cores, ${[go, ...packages].join(", ")}`;
  },
};

function readManifest(folder: string): { version: string; dependencies: Record<string, string> } {
  return JSON.parse(readFileSync(new URL(`../../${folder}/package.json`, import.meta.url), "utf8"));
}
