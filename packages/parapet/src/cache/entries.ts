import { type Context, rootContext, withTimeout } from "../context/index.ts";
import type { Logger } from "../log/index.ts";
import type { Background } from "./background.ts";
import { Flights } from "./flights.ts";
import type { Kind } from "./kind.ts";
import type { NearCache, NearEntry } from "./near-cache.ts";
import { type Load, type Outcome, resultOf } from "./outcome.ts";
import type { Source } from "./source.ts";

export interface EntriesOptions<T> {
  /** Of the kind, in snake case; keys of one kind never meet those of another, nor those of another service. */
  readonly name: string;
  /** Of the values' encoding, 0 to 255: what was written under another version is not read. */
  readonly version: number;
  encode(value: T): string;
  /** Whatever it throws makes the entry a miss. */
  decode(text: string): T;
  /** How long an entry is kept at most, in milliseconds; a minute by default. */
  readonly ttlMs?: number;
  /** How long it is remembered that there is none, in milliseconds; two seconds by default. */
  readonly missingTtlMs?: number;
}

/** The entries of one kind. What they give is shared and frozen: read it, don't change it. */
export interface Entries<T> {
  /**
   * The entry, or what `load` gives. Throws what `load` throws, of which a `not_found` is remembered; `timeout` when loading takes
   * five seconds; `unavailable` when Redis is away and too many loads wait; and the context's reason when that ends first.
   * `load` is shared by all who ask meanwhile, may run when nobody waits, and gets a context of its own.
   */
  get(ctx: Context, key: string, load: (ctx: Context) => Promise<T>): Promise<T>;
  /**
   * Drops entries, after the commit that changed them: what this process reads from then on was loaded later. Takes 100 ms at most
   * and never fails: what Redis could not be told is counted, logged, and told once Redis is there again.
   */
  invalidate(ctx: Context, keys: readonly string[]): Promise<void>;
}

// An unpaired surrogate is no text to Redis, so that two such keys would be one there; and an id is not longer.
const FIT_KEY = /^\P{Surrogate}{0,512}$/u;
const MAX_REFRESH_MS = 5000;

export interface CachedEntriesOptions<T> {
  readonly kind: Kind<T>;
  readonly near: NearCache<T>;
  readonly source: Source<T>;
  readonly background: Background;
  readonly log: Logger;
}

export class CachedEntries<T> implements Entries<T> {
  readonly #kind: Kind<T>;
  readonly #near: NearCache<T>;
  readonly #source: Source<T>;
  readonly #background: Background;
  readonly #log: Logger;
  readonly #flights: Flights<Outcome<T>>;

  constructor({ kind, near, source, background, log }: CachedEntriesOptions<T>) {
    this.#kind = kind;
    this.#near = near;
    this.#source = source;
    this.#background = background;
    this.#log = log;
    this.#flights = new Flights(log);
  }

  async get(ctx: Context, key: string, load: Load<T>): Promise<T> {
    const nowMs = performance.now();
    const entry = this.#near.get(key, nowMs);
    if (entry === undefined) return this.#fetch(ctx, key, load);
    this.#kind.instruments.requests.near_hit.inc();
    if (nowMs >= entry.refreshAt) this.#refresh(key, entry, load);
    return resultOf(entry.outcome);
  }

  async invalidate(ctx: Context, keys: readonly string[]): Promise<void> {
    try {
      await this.drop(keys);
    } catch (error) {
      ctx.log.warn("the cache could not be told of a change", { cache: this.#kind.name, error });
    }
  }

  /** Drops entries here and elsewhere. Throws `unavailable` when elsewhere could not be told. */
  async drop(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const { invalidations } = this.#kind.instruments;
    for (const key of keys) this.forget(key);
    try {
      // Not under the caller's context: the change is made, whether or not its maker is still there.
      await this.#source.drop(rootContext(this.#log), keys);
      invalidations.ok.inc(keys.length);
    } catch (thrown) {
      invalidations.failed.inc(keys.length);
      throw thrown;
    } finally {
      // Again, for what was read from Redis before it was told.
      for (const key of keys) this.forget(key);
    }
  }

  /** Drops an entry from this process. Whoever asks from now on gets what is loaded, or read from Redis, from now on. */
  forget(key: string): void {
    this.#near.drop(key);
    this.#flights.detach(key);
  }

  forgetAll(): void {
    this.#near.flush();
    this.#flights.detachAll();
  }

  dropUntold(ctx: Context): Promise<void> {
    return this.#source.dropUntold(ctx);
  }

  async #fetch(ctx: Context, key: string, load: Load<T>): Promise<T> {
    const { requests } = this.#kind.instruments;
    if (!FIT_KEY.test(key)) {
      requests.bypass.inc();
      return load(ctx);
    }
    if (this.#flights.has(key)) requests.shared.inc();
    return resultOf(await this.#flights.join(ctx, key, (ctx) => this.#source.fetch(ctx, key, load)));
  }

  #refresh(key: string, entry: NearEntry<T>, load: Load<T>): void {
    // Once; when it fails, the entry expires as any other.
    entry.refreshAt = Number.POSITIVE_INFINITY;
    const { refreshes } = this.#kind.instruments;
    this.#background.run(async (ctx) => {
      try {
        const result = await withTimeout(ctx, MAX_REFRESH_MS, (ctx) => this.#source.refresh(ctx, key, entry, load));
        refreshes[result].inc();
      } catch (error) {
        refreshes.failed.inc();
        ctx.log.debug("an entry could not be refreshed", { cache: this.#kind.name, error });
      }
    });
  }
}
