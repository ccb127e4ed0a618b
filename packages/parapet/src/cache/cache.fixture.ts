import type { TestContext } from "node:test";
import { type CancelableContext, type Context, sleep, withTimeout } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import { createRegistry, type Registry } from "../metrics/index.ts";
import { type Cache, createCache } from "./cache.ts";
import type { Entries, EntriesOptions } from "./entries.ts";

/** A thing that is kept somewhere slow, and its version there. */
export interface Thing {
  readonly id: string;
  readonly version: number;
}

/** What stands behind the cache: counts its loads, and takes as long as it is told to. */
export class Things {
  readonly #versions = new Map<string, number>();
  loads = 0;
  loading = 0;
  maxLoading = 0;
  delayMs = 0;
  failure: AppError | undefined;

  set(id: string, version: number): void {
    this.#versions.set(id, version);
  }

  readonly load = (id: string) => async (ctx: Context) => {
    this.loads++;
    this.loading++;
    this.maxLoading = Math.max(this.maxLoading, this.loading);
    try {
      // As a database does: it answers with what was there when it was asked.
      const version = this.#versions.get(id);
      if (this.delayMs > 0) await sleep(ctx, this.delayMs);
      if (this.failure !== undefined) throw this.failure;
      if (version === undefined) throw new AppError("not_found", "there is no such thing", { fields: { id } });
      return { id, version };
    } finally {
      this.loading--;
    }
  };
}

export const thingOptions: EntriesOptions<Thing> = {
  name: "thing",
  version: 1,
  encode: (thing) => JSON.stringify(thing),
  decode: (text) => {
    const thing: Thing = JSON.parse(text);
    if (typeof thing.version !== "number") throw new AppError("internal", "this is no thing");
    return thing;
  },
};

/** A context whose log lines can be read. */
export type Recorded = CancelableContext & {
  readonly lines: readonly { readonly level: string; readonly msg: string }[];
};

/** One process of a service, as far as its cache goes. */
export interface Replica {
  readonly ctx: Recorded;
  readonly cache: Cache;
  readonly things: Entries<Thing>;
  get(id: string, ctx?: Context): Promise<Thing>;
  /** What the metric of this name is, over all labels that `part` is in. */
  count(name: string, part?: string): Promise<number>;
}

interface ReplicaOptions {
  readonly service?: string;
  readonly entries?: Partial<EntriesOptions<Thing>>;
  /** Whether to wait until Redis is connected; it is by default. */
  readonly connected?: boolean;
}

type StartReplica = (
  t: TestContext,
  url: string | undefined,
  source: Things,
  options?: ReplicaOptions,
) => Promise<Replica>;

/** Gives what starts a cache, under a context that `newContext` makes, and ends it with the test. */
export function replicasUnder(newContext: () => Recorded): StartReplica {
  return async (t, url, source, { service, entries = {}, connected = url !== undefined } = {}) => {
    const ctx = newContext();
    const registry = createRegistry();
    const cache = createCache(url, { log: ctx.log, metrics: registry, ...(service === undefined ? {} : { service }) });
    const things = cache.entries({ ...thingOptions, ...entries });
    t.after(() => cache.stop(newContext()));
    await cache.start(ctx);
    if (connected) await connection(ctx);
    return {
      ctx,
      cache,
      things,
      get: (id, inner = ctx) => things.get(inner, id, source.load(id)),
      count: (name, part = "") => sumOf(registry, name, part),
    };
  };
}

function connection(ctx: Recorded): Promise<void> {
  return withTimeout(ctx, 5000, async (inner) => {
    while (!ctx.lines.some(({ msg }) => msg === "the cache is connected")) await sleep(inner, 5);
  });
}

async function sumOf(registry: Registry, name: string, part: string): Promise<number> {
  const lines = (await registry.text()).split("\n");
  return lines
    .filter((line) => line.replace("{", " ").startsWith(`${name} `) && line.includes(part))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}
