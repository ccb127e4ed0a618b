import { type Context, sleep } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import type { Bulkhead } from "../resilience/index.ts";
import type { Background } from "./background.ts";
import type { RefreshResult } from "./instruments.ts";
import { type Kind, type Loaded, lifeOf, loadOf } from "./kind.ts";
import { keptEntry, type Mark, type NearCache, type NearEntry } from "./near-cache.ts";
import type { Load, Outcome } from "./outcome.ts";
import type { Claim, RedisStore } from "./redis-store.ts";
import type { Source } from "./source.ts";
import { decodeEntry, encodeEntry } from "./stored-entry.ts";
import { UntoldKeys } from "./untold-keys.ts";

export interface SharedSourceOptions<T> {
  readonly kind: Kind<T>;
  readonly near: NearCache<T>;
  readonly store: RedisStore;
  /** In front of loads that no lease bounds. */
  readonly bulkhead: Bulkhead;
  readonly background: Background;
}

/** How long to wait for a load elsewhere, at most: a little longer than a load should take. */
const MAX_WAIT_MS = 200;
const FIRST_POLL_MS = 5;
const LAST_POLL_MS = 50;
/** A load that was under way when Redis could not be told may still be filled in. */
const FILL_GRACE_MS = 5000;

/** A claim whose hit was understood. */
type Read<T> =
  | Exclude<Claim, { readonly kind: "hit" }>
  | ({ readonly kind: "hit"; readonly token: string; readonly remainingMs: number } & Loaded<T>);

/** What the processes of a service share through Redis, under leases: one of them loads, and none fills in what is outdated. */
export class SharedSource<T> implements Source<T> {
  readonly #kind: Kind<T>;
  readonly #near: NearCache<T>;
  readonly #store: RedisStore;
  readonly #bulkhead: Bulkhead;
  readonly #background: Background;
  readonly #untold: UntoldKeys;

  constructor({ kind, near, store, bulkhead, background }: SharedSourceOptions<T>) {
    this.#kind = kind;
    this.#near = near;
    this.#store = store;
    this.#bulkhead = bulkhead;
    this.#background = background;
    this.#untold = new UntoldKeys(kind.ttlMs + FILL_GRACE_MS);
  }

  async fetch(ctx: Context, key: string, load: Load<T>): Promise<Outcome<T>> {
    const giveUpAt = performance.now() + MAX_WAIT_MS;
    for (let poll = 0; ; poll++) {
      const mark = this.#near.mark(key);
      const token = this.#store.newToken();
      const askedAt = performance.now();
      const read = await this.#read(ctx, key, token);
      if (read.kind === "hit") return this.#hit(mark, askedAt, read);
      if (read.kind === "owner") return this.#loadAndFill(ctx, mark, token, load);
      if (read.kind === "away" || performance.now() >= giveUpAt) return this.#loadPast(ctx, load);
      if (poll === 0) this.#kind.instruments.leaseWaits.inc();
      await sleep(ctx, pollMs(poll));
    }
  }

  async refresh(ctx: Context, key: string, entry: NearEntry<T>, load: Load<T>): Promise<RefreshResult> {
    if (!(await this.#store.claimRefresh(ctx, this.#kind.name, entry.token))) return "elsewhere";
    const mark = this.#near.mark(key);
    const loaded = await this.#bulkhead.run(ctx, (ctx) => loadOf(ctx, this.#kind, load));
    const token = this.#store.newToken();
    const put = (text: string, lifeMs: number) =>
      this.#store.replace(ctx, this.#redisKey(key), { oldToken: entry.token, token, entry: text, lifeMs });
    return (await this.#putAndKeep(mark, token, loaded, put)) ? "ok" : "outdated";
  }

  async drop(ctx: Context, keys: readonly string[]): Promise<void> {
    const isTold = await this.#unlink(ctx, keys);
    const nowMs = performance.now();
    for (const key of keys) {
      if (isTold) this.#untold.delete(key);
      else this.#untold.add(key, nowMs);
    }
    if (!isTold) throw new AppError("unavailable", "the cache can't be told of a change");
  }

  async dropUntold(ctx: Context): Promise<void> {
    const { keys } = this.#untold;
    if (keys.length > 0 && (await this.#unlink(ctx, keys))) for (const key of keys) this.#untold.delete(key);
  }

  async #read(ctx: Context, key: string, token: string): Promise<Read<T>> {
    const redisKey = this.#redisKey(key);
    if (this.#untold.has(key, performance.now()) && !(await this.#tellOf(ctx, key))) return { kind: "away" };
    const read = this.#understood(await this.#store.claim(ctx, redisKey, token));
    if (read !== undefined) return read;
    this.#kind.instruments.decodeFailures.inc();
    // Sent together, and done one after the other.
    const [, claim] = await Promise.all([this.#store.unlink(ctx, [redisKey]), this.#store.claim(ctx, redisKey, token)]);
    return this.#understood(claim) ?? { kind: "away" };
  }

  async #tellOf(ctx: Context, key: string): Promise<boolean> {
    const isTold = await this.#unlink(ctx, [key]);
    if (isTold) this.#untold.delete(key);
    return isTold;
  }

  #understood(claim: Claim): Read<T> | undefined {
    if (claim.kind !== "hit") return claim;
    // Ours end, and not later than they were to when they were put there: also when a clock was set back.
    const isOurs = claim.remainingMs >= 0 && claim.remainingMs <= this.#kind.ttlMs;
    const stored = isOurs ? decodeEntry(this.#kind.codec, claim.entry) : undefined;
    return stored && { kind: "hit", token: claim.token, remainingMs: claim.remainingMs, ...stored };
  }

  #hit(mark: Mark, askedAt: number, read: Read<T> & { readonly kind: "hit" }): Outcome<T> {
    this.#kind.instruments.requests.redis_hit.inc();
    // Counted from before the question.
    const expiresAt = askedAt + read.remainingMs;
    this.#near.keep(mark, keptEntry(read, { token: read.token, expiresAt, ttlMs: this.#kind.ttlMs }));
    return read.outcome;
  }

  async #loadAndFill(ctx: Context, mark: Mark, token: string, load: Load<T>): Promise<Outcome<T>> {
    this.#kind.instruments.requests.miss.inc();
    const redisKey = this.#redisKey(mark.key);
    try {
      const loaded = await loadOf(ctx, this.#kind, load);
      // Nobody waits for it: whoever asks next asks on the same connection, after it.
      this.#background.run(async (ctx) => {
        const put = (text: string, lifeMs: number) => this.#store.fill(ctx, redisKey, { token, entry: text, lifeMs });
        if (!(await this.#putAndKeep(mark, token, loaded, put))) await this.#store.release(ctx, redisKey, token);
      });
      return loaded.outcome;
    } catch (thrown) {
      this.#background.run((ctx) => this.#store.release(ctx, redisKey, token));
      throw thrown;
    }
  }

  #loadPast(ctx: Context, load: Load<T>): Promise<Outcome<T>> {
    this.#kind.instruments.requests.bypass.inc();
    return this.#bulkhead.run(ctx, async (ctx) => (await loadOf(ctx, this.#kind, load)).outcome);
  }

  /** Puts what was loaded into Redis, and keeps it once it is there; false when it is outdated or could not be put there. */
  async #putAndKeep(
    mark: Mark,
    token: string,
    loaded: Loaded<T>,
    put: (text: string, lifeMs: number) => Promise<boolean>,
  ): Promise<boolean> {
    const lifeMs = lifeOf(this.#kind, loaded.outcome);
    const expiresAt = performance.now() + lifeMs;
    const text = this.#near.isCurrent(mark) ? this.#encoded(loaded) : undefined;
    if (text === undefined || !(await put(text, lifeMs))) return false;
    this.#near.keep(mark, keptEntry(loaded, { token, expiresAt, ttlMs: this.#kind.ttlMs }));
    return true;
  }

  #encoded(loaded: Loaded<T>): string | undefined {
    try {
      return encodeEntry(this.#kind.codec, loaded);
    } catch {
      // The answer is there; that it can't be kept is counted.
      this.#kind.instruments.encodeFailures.inc();
      return undefined;
    }
  }

  #unlink(ctx: Context, keys: readonly string[]): Promise<boolean> {
    return this.#store.unlink(
      ctx,
      keys.map((key) => this.#redisKey(key)),
    );
  }

  #redisKey(key: string): string {
    return this.#store.keyOf(this.#kind.name, key);
  }
}

function pollMs(poll: number): number {
  return Math.min(FIRST_POLL_MS * 2 ** poll, LAST_POLL_MS) * (0.5 + Math.random() / 2);
}
