import type { Context } from "../context/index.ts";
import type { RefreshResult } from "./instruments.ts";
import type { NearEntry } from "./near-cache.ts";
import type { Load, Outcome } from "./outcome.ts";

/** Where a kind of entries comes from when the process does not hold it. */
export interface Source<T> {
  /** Gets the outcome, and keeps it where it may be kept. Throws what `load` throws, but `not_found`. */
  fetch(ctx: Context, key: string, load: Load<T>): Promise<Outcome<T>>;
  /** Loads an entry anew, unless somebody else does, and keeps it unless it changed meanwhile. Throws what `load` throws. */
  refresh(ctx: Context, key: string, entry: NearEntry<T>, load: Load<T>): Promise<RefreshResult>;
  /** Drops keys wherever else they are held. Throws `unavailable` when that could not be told. */
  drop(ctx: Context, keys: readonly string[]): Promise<void>;
  /** Tells again what could not be told. */
  dropUntold(ctx: Context): Promise<void>;
}
