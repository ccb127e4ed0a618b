import { createHash } from "node:crypto";
import { v7 as uuidv7 } from "uuid";
import { type EventContract, type EventData, validator } from "../contract/index.ts";
import { AppError } from "../errors/index.ts";
import { type Statement, sql, type Transaction } from "../postgres/index.ts";
import { nudgeRelays } from "./nudges.ts";

/** An event to be published because a transaction was committed, and only then. */
export interface OutboxEvent<E extends EventContract = EventContract> {
  readonly event: E;
  /** What it happened to: the events of one key are published in the order of their commits. */
  readonly key: string;
  readonly data: EventData<E>;
}

interface OutboxRow {
  readonly id: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly type: string;
  readonly payload: Buffer;
  /** What its key is locked by; its last four bits are the lane in which a relay takes it. */
  readonly hash: number;
}

/** The first part of the advisory locks' names. ASCII `outb`. */
const LOCKS = 0x6f757462;
const LANE_BITS = 0xf;

const pending = new WeakMap<Transaction, OutboxRow[]>();

/**
 * Leaves an event in the transaction's own commit, in its round trip, behind the lock of its key. Throws `internal` when the
 * data breaks the event's contract.
 */
export function appendToOutbox<E extends EventContract>(tx: Transaction, event: OutboxEvent<E>): void {
  const row = toRow(event);
  const rows = pending.get(tx);
  if (rows !== undefined) {
    rows.push(row);
    return;
  }
  const first = [row];
  pending.set(tx, first);
  tx.beforeCommit(async () => flush(tx, first));
  tx.afterCommit(() => nudgeRelays(first.length));
}

/** In the order of their locks, so that no two transactions wait for each other; those of one key in the order of the calls. */
function flush(tx: Transaction, rows: readonly OutboxRow[]): void {
  // What another hook appends from now on is flushed by a hook of its own.
  pending.delete(tx);
  // A stable sort, by the language.
  for (const row of rows.toSorted((one, other) => one.hash - other.hash)) tx.executeAtCommit(toInsert(row));
}

/** The row takes its number behind the lock: what selects from the one is run after it. */
function toInsert({ id, aggregateType, aggregateId, type, payload, hash }: OutboxRow): Statement {
  return sql`
    with locked as materialized (select pg_advisory_xact_lock(${LOCKS}::int4, ${hash}::int4))
    insert into outbox (id, aggregatetype, aggregateid, type, payload, lane)
    select ${id}::uuid, ${aggregateType}, ${aggregateId}, ${type}, ${payload}::bytea, ${hash & LANE_BITS}::int2 from locked`;
}

function toRow({ event: { type, schema }, key, data }: OutboxEvent): OutboxRow {
  const { accepts, violations } = validatorOf(schema);
  if (!accepts(data)) {
    const fields = { type, violations: violations(data, "body").map(({ field, rule }) => `${field} ${rule}`) };
    throw new AppError("internal", "an event breaks its contract", { fields });
  }
  const aggregateType = type.split(".").slice(0, -2).join(".");
  const payload = Buffer.from(JSON.stringify(data));
  return { id: uuidv7(), aggregateType, aggregateId: key, type, payload, hash: hashOf(`${aggregateType} ${key}`) };
}

const validators = new WeakMap<EventContract["schema"], ReturnType<typeof validator>>();

function validatorOf(schema: EventContract["schema"]): ReturnType<typeof validator> {
  let compiled = validators.get(schema);
  if (compiled === undefined) {
    compiled = validator(schema);
    validators.set(schema, compiled);
  }
  return compiled;
}

function hashOf(name: string): number {
  return createHash("sha256").update(name).digest().readInt32BE(0);
}
