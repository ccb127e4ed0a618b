import type { Context } from "../context/index.ts";
import { type Component, createRepeating } from "../lifecycle/index.ts";
import type { Logger } from "../log/index.ts";
import { type Database, sql } from "../postgres/index.ts";

export interface IdempotencyExpiryOptions {
  readonly in: Database;
  readonly log: Logger;
}

const EVERY_MS = 10 * 60 * 1000;
const TIMEOUT_MS = 5000;
const BATCH = 1000;

/** Makes the component that deletes kept replies once they are a day old, in small batches, in any number of processes. */
export function createIdempotencyExpiry({ in: database, log }: IdempotencyExpiryOptions): Component {
  const round = (ctx: Context) => deleteExpired(ctx, database);
  return createRepeating({ name: "idempotency expiry", log, everyMs: EVERY_MS, timeoutMs: TIMEOUT_MS, round });
}

/** Deletes a batch of those that have expired; tells whether there may be more. */
export async function deleteExpired(ctx: Context, { background }: Database): Promise<boolean> {
  const deleted = await background.execute(
    ctx,
    sql`
      delete from idempotency_keys where (principal, operation, key) in (
        select principal, operation, key from idempotency_keys
        where created_at <= now() - interval '24 hours' limit ${BATCH} for update skip locked)`,
  );
  return deleted === BATCH;
}
