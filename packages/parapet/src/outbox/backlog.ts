import type { Context } from "../context/index.ts";
import { type Component, createRepeating } from "../lifecycle/index.ts";
import type { Logger } from "../log/index.ts";
import { type Database, row, sql } from "../postgres/index.ts";
import type { RelayInstruments } from "./relay-instruments.ts";

const EVERY_MS = 5000;
const TIMEOUT_MS = 5000;
/** So that a long backlog costs no more to count than a short one. */
const COUNTED_AT_MOST = 100_001;

const Backlog = row({ pending: "int4", age: "float8" });

/** Makes the component that counts, every five seconds, what waits to be published. */
export function createBacklogGauge(
  database: Database,
  { log, instruments }: { readonly log: Logger; readonly instruments: RelayInstruments },
): Component {
  const round = async (ctx: Context) => {
    await measure(ctx, database, instruments);
    return false;
  };
  return createRepeating({ name: "outbox backlog", log, everyMs: EVERY_MS, timeoutMs: TIMEOUT_MS, round });
}

/** Counts what waits, and takes the age of the oldest. */
export async function measure(
  ctx: Context,
  { background }: Database,
  { pending, oldestAge }: RelayInstruments,
): Promise<void> {
  const [backlog] = await background.query(
    ctx,
    sql(Backlog)`
      select count(*)::int4 as pending, coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as age
      from (select created_at from outbox order by seq limit ${COUNTED_AT_MOST}) as waiting`,
  );
  pending.set(backlog?.pending ?? 0);
  oldestAge.set(Math.max(0, backlog?.age ?? 0));
}
