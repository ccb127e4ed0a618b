import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AppError } from "parapet/errors";
import { buildFastifyPeer } from "./fastify-peer.ts";
import { buildGoPeer } from "./go-peer.ts";

/** How a system caches: as it does unless told otherwise, in Redis alone, or not at all. */
export type CacheMode = "default" | "no near cache" | "no cache";

type Env = Readonly<Record<string, string>>;

/** Where the backing services of a run are. */
export interface Addresses {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** What the keys of the run begin with. */
  readonly keyPrefix: string;
}

/** One of those that are compared: how to start it. */
export interface System {
  readonly name: "Parapet" | "Parapet, two processes" | "Fastify" | "Go";
  readonly command: readonly [string, ...string[]];
  /** Answers 200 as soon as requests may come. */
  readonly readyPath: string;
  /** The environment of each mode that it has. */
  readonly env: Readonly<Partial<Record<CacheMode, (addresses: Addresses) => Env>>>;
}

const TWO_PROCESSES = fileURLToPath(new URL("two-processes.mjs", import.meta.url));

// The settings of the users service, in one place because it names them.
const PARAPET_SWITCHES: Readonly<Record<CacheMode, Env>> = {
  default: {},
  "no near cache": { CACHE_NEAR_ENTRIES: "0" },
  "no cache": { CACHE_TTL_MS: "0" },
};

export interface SystemOptions {
  /** The bundle of the users service. */
  readonly usersServer: string;
  /** Where a peer that has to be compiled goes. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** The systems, ready to be started. Says on stdout which is left out, and how to have it. */
export async function openSystems({ usersServer, folder, signal }: SystemOptions): Promise<System[]> {
  const go = await buildGoPeer(join(folder, "go-peer"), signal);
  return [
    parapet(usersServer),
    inTwo(parapet(usersServer)),
    fastify(await buildFastifyPeer()),
    ...(go === undefined ? [] : [goPeer(go)]),
  ];
}

function parapet(file: string): System {
  const nodeOptions = imageNodeOptions();
  const withSwitches = (mode: CacheMode) => (addresses: Addresses) => ({
    ...common(addresses),
    NODE_OPTIONS: nodeOptions,
    REDIS_URL: addresses.redisUrl,
    DRAIN_DELAY_MS: "0",
    ...PARAPET_SWITCHES[mode],
  });
  return {
    name: "Parapet",
    command: [process.execPath, file],
    readyPath: "/readyz",
    env: {
      default: withSwitches("default"),
      "no near cache": withSwitches("no near cache"),
      "no cache": withSwitches("no cache"),
    },
  };
}

/** What the image of the users service gives Node along. Throws `internal` when its Dockerfile does not say. */
export function imageNodeOptions(): string {
  const dockerfile = readFileSync(new URL("../../services/users/Dockerfile", import.meta.url), "utf8");
  const options = /^ENV NODE_OPTIONS="(.+)"$/m.exec(dockerfile)?.[1];
  if (options === undefined) throw new AppError("internal", "the Dockerfile of the users service sets no NODE_OPTIONS");
  return options;
}

/** As it is deployed on two cores: two processes behind one port. */
function inTwo({ command: [, file = ""], readyPath, env: { default: inFull, "no cache": uncached } }: System): System {
  return {
    name: "Parapet, two processes",
    command: [process.execPath, TWO_PROCESSES, file],
    readyPath,
    env: { ...(inFull && { default: inFull }), ...(uncached && { "no cache": uncached }) },
  };
}

function fastify(file: string): System {
  const env = (addresses: Addresses) => ({ ...common(addresses), NODE_ENV: "production" });
  return {
    name: "Fastify",
    command: [process.execPath, file],
    readyPath: "/health",
    env: { default: (addresses) => ({ ...env(addresses), ...redis(addresses, "fastify") }), "no cache": env },
  };
}

function goPeer(file: string): System {
  // Unlike the others, lib/pq insists on TLS unless told not to.
  const env = (addresses: Addresses) => ({ ...common(addresses), DATABASE_URL: withoutTls(addresses.databaseUrl) });
  return {
    name: "Go",
    command: [file],
    readyPath: "/health",
    env: { default: (addresses) => ({ ...env(addresses), ...redis(addresses, "go") }), "no cache": env },
  };
}

const common = ({ databaseUrl }: Addresses): Env => ({ DATABASE_URL: databaseUrl, LOG_LEVEL: "info" });

function redis({ redisUrl, keyPrefix }: Addresses, name: string): Env {
  return { REDIS_URL: redisUrl, CACHE_PREFIX: `${keyPrefix}${name}:` };
}

function withoutTls(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  if (!url.searchParams.has("sslmode")) url.searchParams.set("sslmode", "disable");
  return url.href;
}
