import type { Context } from "../context/index.ts";
import { type Component, createRepeating } from "../lifecycle/index.ts";
import type { Logger } from "../log/index.ts";
import { type Database, type RowOf, row, sql, type Transaction } from "../postgres/index.ts";

/** Drops entries of a cache. */
export interface Invalidated {
  /** Throws `unavailable` when that could not be done everywhere. */
  invalidate(ctx: Context, name: string, keys: readonly string[]): Promise<void>;
}

export interface InvalidatorOptions {
  readonly from: Database;
  readonly to: Invalidated;
  readonly log: Logger;
}

/**
 * Notes in the transaction's own commit that entries of a cache are out of date, so that they are dropped even when the
 * process dies before it could do that itself.
 */
export function noteInvalidation(tx: Transaction, cache: string, keys: readonly string[]): void {
  for (const key of keys)
    tx.executeAtCommit(sql`insert into cache_invalidations (cache, key) values (${cache}, ${key})`);
}

const EVERY_MS = 500;
const TIMEOUT_MS = 5000;
const BATCH = 500;

const Note = row({ seq: "int8", cache: "text", key: "text" });
type Note = RowOf<typeof Note>;

/** Makes the component that drops what was noted: in any number of processes, each entry at least once. */
export function createInvalidator({ from, to, log }: InvalidatorOptions): Component {
  const round = (ctx: Context) => dropNoted(ctx, from, to);
  return createRepeating({ name: "invalidator", log, everyMs: EVERY_MS, timeoutMs: TIMEOUT_MS, round });
}

async function dropNoted(ctx: Context, { background }: Database, cache: Invalidated): Promise<boolean> {
  const select = sql(Note)`select seq, cache, key from cache_invalidations order by seq limit ${BATCH}`;
  const notes = await background.query(ctx, select);
  if (notes.length === 0) return false;
  for (const [name, keys] of byCache(notes)) await cache.invalidate(ctx, name, [...keys]);
  const seqs = notes.map(({ seq }) => seq);
  await background.execute(ctx, sql`delete from cache_invalidations where seq = any(${seqs})`);
  return notes.length === BATCH;
}

function byCache(notes: readonly Note[]): Map<string, Set<string>> {
  const keys = new Map<string, Set<string>>();
  for (const { cache, key } of notes) keys.set(cache, (keys.get(cache) ?? new Set()).add(key));
  return keys;
}
