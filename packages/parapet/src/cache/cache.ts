import type { Context } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import type { Component } from "../lifecycle/index.ts";
import type { Logger } from "../log/index.ts";
import { metrics as processMetrics, type Registry } from "../metrics/index.ts";
import { type Bulkhead, createBulkhead } from "../resilience/index.ts";
import { Background } from "./background.ts";
import { DEFAULT_NEAR_ENTRIES, DEFAULT_TTL_MS } from "./config.ts";
import { CachedEntries, type Entries, type EntriesOptions } from "./entries.ts";
import { type Instruments, instrumentsOf } from "./instruments.ts";
import { checkKind, type Kind } from "./kind.ts";
import { LocalSource } from "./local-source.ts";
import { NearCache } from "./near-cache.ts";
import { RedisLink } from "./redis-link.ts";
import { RedisStore } from "./redis-store.ts";
import { SharedSource } from "./shared-source.ts";
import type { Source } from "./source.ts";
import { UncachedEntries } from "./uncached-entries.ts";

export interface CacheOptions {
  readonly log: Logger;
  /** Where to count; the process-wide registry by default. */
  readonly metrics?: Registry;
  /** How long an entry is kept at most, in milliseconds, where its kind does not say; a minute by default, 0 for no cache at all. */
  readonly ttlMs?: number;
  /** How many entries of a kind the process holds itself at most, 10,000 by default; 0 leaves them all to Redis. */
  readonly nearEntries?: number;
  /** Whose entries these are: the first part of each key. The service that logs, by default. */
  readonly service?: string;
}

/** What a service remembers of its own reads. Never needed for an answer: where it is away, everything is loaded. */
export interface Cache extends Component {
  /** The entries of a kind, of which there is one a cache. Throws `internal` for a name that is taken or not in snake case. */
  entries<T>(options: EntriesOptions<T>): Entries<T>;
  /**
   * Drops entries of a kind, also of one that this process does not know: for what makes sure of an invalidation later. Throws
   * `unavailable` when Redis could not be told, within 100 ms.
   */
  invalidate(ctx: Context, name: string, keys: readonly string[]): Promise<void>;
}

/**
 * A cache in the process in front of the Redis (7 or newer) at `url`, or without a URL one in the process alone. Makes no
 * connection before `start`. Throws `invalid` when the URL is not one of a Redis.
 */
export function createCache(url: string | undefined, options: CacheOptions): Cache {
  return new LayeredCache(url, options);
}

const DEFAULT_MISSING_TTL_MS = 2000;
// Loads past Redis, for the whole process: three times the database's connections may ask, the rest waits its turn.
const LOADS_PAST_REDIS = { name: "database", limit: 32, queue: 512, maxWaitMs: 1000 };

/** What a cache does to all kinds alike. */
type AnyEntries = Pick<CachedEntries<unknown>, "drop" | "dropUntold" | "forget" | "forgetAll">;

class LayeredCache implements Cache {
  readonly name = "cache";
  readonly #log: Logger;
  readonly #ttlMs: number;
  readonly #nearEntries: number;
  readonly #instruments: Instruments;
  readonly #kinds = new Map<string, AnyEntries>();
  readonly #bulkhead: Bulkhead = createBulkhead(LOADS_PAST_REDIS);
  readonly #background: Background;
  readonly #redis: { readonly link: RedisLink; readonly store: RedisStore } | undefined;

  constructor(url: string | undefined, options: CacheOptions) {
    const { log, metrics = processMetrics, service = log.service } = options;
    this.#log = log;
    this.#ttlMs = options.ttlMs ?? DEFAULT_TTL_MS;
    this.#nearEntries = options.nearEntries ?? DEFAULT_NEAR_ENTRIES;
    this.#instruments = instrumentsOf(metrics);
    this.#background = new Background(log);
    this.#redis = url === undefined ? undefined : this.#redisAt(checkedUrl(url), service);
  }

  async start(): Promise<void> {
    this.#redis?.link.start();
  }

  async stop(ctx: Context): Promise<undefined> {
    this.#background.stop();
    await this.#redis?.link.stop(ctx);
  }

  entries<T>(options: EntriesOptions<T>): Entries<T> {
    if (this.#ttlMs === 0) return new UncachedEntries();
    const kind = kindOf({ ttlMs: this.#ttlMs, ...options }, this.#instruments);
    if (this.#kinds.has(kind.name))
      throw new AppError("internal", "two kinds of cache entries have the same name", { fields: { cache: kind.name } });
    const near = new NearCache<T>(this.#nearEntries);
    const source = this.#sourceOf(kind, near);
    const entries = new CachedEntries({ kind, near, source, background: this.#background, log: this.#log });
    this.#kinds.set(kind.name, entries);
    return entries;
  }

  async invalidate(ctx: Context, name: string, keys: readonly string[]): Promise<void> {
    ctx.throwIfDone();
    const entries = this.#kinds.get(name);
    if (entries !== undefined) return entries.drop(keys);
    const store = this.#redis?.store;
    const redisKeys = keys.map((key) => store?.keyOf(name, key) ?? key);
    if (store !== undefined && !(await store.unlink(ctx, redisKeys)))
      throw new AppError("unavailable", "the cache can't be told of a change");
  }

  #sourceOf<T>(kind: Kind<T>, near: NearCache<T>): Source<T> {
    if (this.#redis === undefined) return new LocalSource(kind, near);
    const { store } = this.#redis;
    return new SharedSource({ kind, near, store, bulkhead: this.#bulkhead, background: this.#background });
  }

  #redisAt(url: string, service: string) {
    const link: RedisLink = new RedisLink({
      url,
      service,
      log: this.#log,
      instruments: this.#instruments,
      onInvalidate: (redisKey) => {
        const { name, key } = store.partsOf(redisKey);
        this.#kinds.get(name)?.forget(key);
      },
      onFlush: () => this.#forgetAll(),
      onConnected: () => this.#dropUntold(),
    });
    const store = new RedisStore(link, service);
    return { link, store };
  }

  #forgetAll(): void {
    this.#instruments.nearFlushes.inc();
    for (const entries of this.#kinds.values()) entries.forgetAll();
  }

  #dropUntold(): void {
    for (const entries of this.#kinds.values()) this.#background.run((ctx) => entries.dropUntold(ctx));
  }
}

function kindOf<T>(options: EntriesOptions<T> & { readonly ttlMs: number }, instruments: Instruments): Kind<T> {
  const { name, ttlMs, missingTtlMs = Math.min(DEFAULT_MISSING_TTL_MS, ttlMs) } = options;
  const kind = { name, codec: options, ttlMs, missingTtlMs };
  checkKind(kind, options.version);
  return { ...kind, instruments: instruments.ofEntries(name) };
}

const DATABASE_NUMBER = /^\/?\d*$/;

/** Throws without the URL itself: it may hold a password. */
function checkedUrl(url: string): string {
  const { protocol, pathname } = URL.canParse(url) ? new URL(url) : { protocol: "", pathname: "" };
  if ((protocol === "redis:" || protocol === "rediss:") && DATABASE_NUMBER.test(pathname)) return url;
  throw new AppError("invalid", "the url of a redis is redis:// or rediss://, a host, and perhaps a number");
}
