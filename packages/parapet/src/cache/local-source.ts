import type { Context } from "../context/index.ts";
import type { RefreshResult } from "./instruments.ts";
import { type Kind, type Loaded, lifeOf, loadOf } from "./kind.ts";
import { keptEntry, type Mark, type NearCache, type NearEntry } from "./near-cache.ts";
import type { Load, Outcome } from "./outcome.ts";
import type { Source } from "./source.ts";

/** The cache of a process without a Redis: what it holds is all there is. */
export class LocalSource<T> implements Source<T> {
  readonly #kind: Kind<T>;
  readonly #near: NearCache<T>;

  constructor(kind: Kind<T>, near: NearCache<T>) {
    this.#kind = kind;
    this.#near = near;
  }

  async fetch(ctx: Context, key: string, load: Load<T>): Promise<Outcome<T>> {
    const mark = this.#near.mark(key);
    this.#kind.instruments.requests.miss.inc();
    const loaded = await loadOf(ctx, this.#kind, load);
    this.#keep(mark, loaded);
    return loaded.outcome;
  }

  async refresh(ctx: Context, key: string, _entry: NearEntry<T>, load: Load<T>): Promise<RefreshResult> {
    const mark = this.#near.mark(key);
    const loaded = await loadOf(ctx, this.#kind, load);
    if (!this.#near.isCurrent(mark)) return "outdated";
    this.#keep(mark, loaded);
    return "ok";
  }

  async drop(): Promise<void> {}

  async dropUntold(): Promise<void> {}

  #keep(mark: Mark, loaded: Loaded<T>): void {
    const lifeMs = lifeOf(this.#kind, loaded.outcome);
    this.#near.keep(
      mark,
      keptEntry(loaded, { token: "", expiresAt: performance.now() + lifeMs, ttlMs: this.#kind.ttlMs }),
    );
  }
}
