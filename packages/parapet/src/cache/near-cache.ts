import { LRUCache } from "lru-cache";
import { refreshTime } from "./early-refresh.ts";
import { missing, type Outcome } from "./outcome.ts";

/** An outcome that this process holds. Times are on `performance.now()`'s clock, which nobody can set. */
export interface NearEntry<T> {
  readonly outcome: Outcome<T>;
  /** Names what stands in Redis, so that a refresh replaces that and nothing newer. */
  readonly token: string;
  readonly expiresAt: number;
  /** When to load it anew, before it expires. */
  refreshAt: number;
}

/** The entry for what was loaded, by this process or another; there being none is not refreshed, and forgets who was told so. */
export function keptEntry<T>(
  { outcome, costMs }: { readonly outcome: Outcome<T>; readonly costMs: number },
  { token, expiresAt, ttlMs }: { readonly token: string; readonly expiresAt: number; readonly ttlMs: number },
): NearEntry<T> {
  if (outcome.kind === "found") return { outcome, token, expiresAt, refreshAt: refreshTime(expiresAt, ttlMs, costMs) };
  return { outcome: missing(outcome.error.message), token, expiresAt, refreshAt: Number.POSITIVE_INFINITY };
}

/** The moment at which a read began: what it brings is kept only when nothing was said against the key since. */
export interface Mark {
  readonly key: string;
  readonly stripe: number;
  readonly changes: number;
  readonly flushes: number;
}

// Changes are counted a stripe, not a key: a stripe needs no tidying up, and a needless refusal costs one read.
const STRIPES = 1024;

/** What the process holds of one kind: bounded, and never kept against a change that came after its read began. */
export class NearCache<T> {
  readonly #entries: LRUCache<string, NearEntry<T>> | undefined;
  readonly #changes = new Uint32Array(STRIPES);
  #flushes = 0;

  /** Holds so many entries at most; with 0 it never holds any. */
  constructor(maxEntries: number) {
    this.#entries = maxEntries === 0 ? undefined : new LRUCache({ max: maxEntries });
  }

  get(key: string, nowMs: number): NearEntry<T> | undefined {
    const entry = this.#entries?.get(key);
    if (entry === undefined || nowMs < entry.expiresAt) return entry;
    this.#entries?.delete(key);
    return undefined;
  }

  /** To be taken before the read, or the load, whose outcome is to be kept. */
  mark(key: string): Mark {
    const stripe = stripeOf(key);
    return { key, stripe, changes: this.#changes[stripe] ?? 0, flushes: this.#flushes };
  }

  isCurrent(mark: Mark): boolean {
    return mark.flushes === this.#flushes && mark.changes === this.#changes[mark.stripe];
  }

  /** Keeps an entry, unless its key changed since the mark was taken. */
  keep(mark: Mark, entry: NearEntry<T>): void {
    if (this.isCurrent(mark)) this.#entries?.set(mark.key, entry);
  }

  drop(key: string): void {
    const stripe = stripeOf(key);
    this.#changes[stripe] = (this.#changes[stripe] ?? 0) + 1;
    this.#entries?.delete(key);
  }

  flush(): void {
    this.#flushes++;
    this.#entries?.clear();
  }
}

function stripeOf(key: string): number {
  let hash = 0;
  for (let i = 0; i < key.length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0;
  return hash & (STRIPES - 1);
}
