import type { Context } from "../context/index.ts";
import { type Component, createRepeating } from "../lifecycle/index.ts";
import type { Logger } from "../log/index.ts";
import { type Database, sql } from "../postgres/index.ts";

export interface InboxExpiryOptions {
  readonly in: Database;
  readonly log: Logger;
}

const EVERY_MS = 10 * 60 * 1000;
const TIMEOUT_MS = 5000;
const BATCH = 1000;

/**
 * Makes the component that forgets messages a week after they took effect (the default of NServiceBus), in small batches, in any number of
 * processes. A message that comes again later takes effect again.
 */
export function createInboxExpiry({ in: database, log }: InboxExpiryOptions): Component {
  const round = (ctx: Context) => forgetExpired(ctx, database);
  return createRepeating({ name: "inbox expiry", log, everyMs: EVERY_MS, timeoutMs: TIMEOUT_MS, round });
}

/** Forgets a batch of those that have expired; tells whether there may be more. */
export async function forgetExpired(ctx: Context, { background }: Database): Promise<boolean> {
  const forgotten = await background.execute(
    ctx,
    sql`
      delete from inbox where (consumer, message_id) in (
        select consumer, message_id from inbox
        where at <= now() - interval '7 days' limit ${BATCH} for update skip locked)`,
  );
  // Few: only what ended its process leaves one behind.
  await background.execute(ctx, sql`delete from inbox_starts where at <= now() - interval '7 days'`);
  return forgotten === BATCH;
}
