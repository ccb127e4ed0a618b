import type { Context } from "../context/index.ts";
import { hasCode, toAppError } from "../errors/index.ts";
import type { Broker, Message } from "../messaging/index.ts";
import { type OwnConnection, type RowOf, row, sql } from "../postgres/index.ts";
import type { RelayInstruments } from "./relay-instruments.ts";

/** An event as it waits in the outbox. */
export const OutboxRow = row({
  seq: "int8",
  id: "uuid",
  lane: "int2",
  aggregatetype: "text",
  aggregateid: "text",
  type: "text",
  headers: "jsonb",
  payload: "bytea",
  created_at: "timestamptz",
  attempts: "int4",
});
export type OutboxRow = RowOf<typeof OutboxRow>;

interface Failure {
  readonly seq: bigint;
  readonly pauseMs: number;
  readonly error: string;
}

/** The most events that are published and not confirmed, or that wait for one of the same key. */
const MAX_OUTSTANDING = 256;
const FLUSH_AFTER_MS = 50;
const FLUSH_AT = 100;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 300_000;
/** From here on people should look at it. */
const STUCK_AFTER = 20;

/** The events of a key that wait for the one that is being published; of a key that is held up none is. */
interface KeyQueue {
  readonly waiting: OutboxRow[];
  isHeldUp: boolean;
}

/**
 * Publishes events, those of a key one after the other, and writes down what came of it. An event that fails holds up those of its
 * key behind it, and no others.
 */
export class Dispatch {
  readonly #broker: Broker;
  readonly #instruments: RelayInstruments;
  readonly #onSettled: () => void;
  /** What was taken from the table and is in it as it was, as far as we know. */
  readonly #taken = new Map<bigint, OutboxRow>();
  readonly #keys = new Map<string, KeyQueue>();
  #published: bigint[] = [];
  #failures: Failure[] = [];
  /** Not published, and as they were: they may be taken again when what failed before them is written down, and not sooner. */
  #held: bigint[] = [];
  /** Types that no queue takes. */
  readonly #unroutable = new Set<string>();
  #settledAt: number | undefined;
  #underWay = 0;
  #isClosing = false;

  constructor(broker: Broker, instruments: RelayInstruments, onSettled: () => void) {
    this.#broker = broker;
    this.#instruments = instruments;
    this.#onSettled = onSettled;
  }

  /** How many more events it takes. */
  get room(): number {
    return MAX_OUTSTANDING - this.#taken.size;
  }

  /** The events that it has, by their numbers. */
  get taken(): readonly bigint[] {
    return [...this.#taken.keys()];
  }

  /** Nothing is being published. */
  get isIdle(): boolean {
    return this.#underWay === 0;
  }

  /** When to write down what came of it, on `performance.now()`'s clock; undefined while there is nothing to write. */
  get flushAt(): number | undefined {
    if (this.#settledAt === undefined) return undefined;
    const settled = this.#published.length + this.#failures.length + this.#held.length;
    return settled >= FLUSH_AT ? this.#settledAt : this.#settledAt + FLUSH_AFTER_MS;
  }

  hasOf(lane: number): boolean {
    return [...this.#taken.values()].some((row) => row.lane === lane);
  }

  /** Publishes no event any more that waits for another. */
  close(): void {
    this.#isClosing = true;
  }

  /** Publishes an event, once those of its key before it are confirmed. */
  publish(ctx: Context, row: OutboxRow): void {
    this.#taken.set(row.seq, row);
    const key = keyOf(row);
    const queue = this.#keys.get(key);
    if (queue?.isHeldUp) this.#hold([row]);
    else if (queue !== undefined) queue.waiting.push(row);
    else {
      const begun = { waiting: [], isHeldUp: false };
      this.#keys.set(key, begun);
      void this.#next(ctx, row, begun);
    }
  }

  /** Writes down what came of what was published. */
  async flush(ctx: Context, connection: OwnConnection): Promise<void> {
    const [published, failures, held] = [this.#published, this.#failures, this.#held];
    [this.#published, this.#failures, this.#held] = [[], [], []];
    this.#settledAt = undefined;
    const heldUp = [...this.#keys].filter(([, { isHeldUp }]) => isHeldUp).map(([key]) => key);
    if (published.length > 0) await connection.execute(ctx, sql`delete from outbox where seq = any(${published})`);
    if (failures.length > 0) await postpone(ctx, connection, failures);
    for (const seq of [...published, ...failures.map(({ seq }) => seq), ...held]) this.#taken.delete(seq);
    for (const key of heldUp) this.#keys.delete(key);
  }

  /** Publishes the events of a key until none is left, or one is not published. */
  async #next(ctx: Context, first: OutboxRow, queue: KeyQueue): Promise<void> {
    for (let row: OutboxRow | undefined = first; row !== undefined; row = queue.waiting.shift()) {
      this.#underWay++;
      const isPublished = await this.#attempt(ctx, row);
      this.#underWay--;
      if (!isPublished || this.#isClosing) queue.isHeldUp = true;
      if (queue.isHeldUp) this.#hold(queue.waiting.splice(0));
      this.#settledAt ??= performance.now();
      this.#onSettled();
    }
    if (!queue.isHeldUp) this.#keys.delete(keyOf(first));
  }

  async #attempt(ctx: Context, row: OutboxRow): Promise<boolean> {
    const { published } = this.#instruments;
    try {
      await this.#broker.publish(ctx, toMessage(row));
      published.with({ result: "ok" }).inc();
      this.#published.push(row.seq);
      this.#unroutable.delete(row.type);
      return true;
    } catch (thrown) {
      // Nothing is wrong with the event: it goes with the others when the broker is back.
      if (ctx.done !== undefined || this.#broker.notPublishingBecause() !== undefined) this.#hold([row]);
      else this.#fail(ctx, row, thrown);
      return false;
    }
  }

  #hold(rows: readonly OutboxRow[]): void {
    this.#held.push(...rows.map(({ seq }) => seq));
    this.#settledAt ??= performance.now();
  }

  #fail(ctx: Context, { seq, id, type, attempts }: OutboxRow, thrown: unknown): void {
    const { code, message } = toAppError(thrown);
    const isUnroutable = hasCode(thrown, "not_found");
    this.#instruments.published.with({ result: isUnroutable ? "unroutable" : "failed" }).inc();
    this.#failures.push({ seq, pauseMs: pauseMsAfter(attempts), error: `${code}: ${message}` });
    const fields = { event_id: id, event_type: type, attempts: attempts + 1, error: thrown };
    if (isUnroutable) this.#reportUnroutable(ctx, type);
    else if (attempts === STUCK_AFTER) ctx.log.error("an event is stuck in the outbox", fields);
    else ctx.log[attempts === 0 ? "warn" : "debug"]("an event was not published", fields);
  }

  /** Once a type: nobody may have subscribed to it yet, and then it is true of each event. */
  #reportUnroutable({ log }: Context, type: string): void {
    if (!this.#unroutable.has(type))
      log.warn("nobody has subscribed to an event: its like wait in the outbox", { event_type: type });
    this.#unroutable.add(type);
  }
}

function keyOf({ aggregatetype, aggregateid }: OutboxRow): string {
  return JSON.stringify([aggregatetype, aggregateid]);
}

async function postpone(ctx: Context, connection: OwnConnection, failures: readonly Failure[]): Promise<void> {
  const seqs = failures.map(({ seq }) => seq);
  const pauses = failures.map(({ pauseMs }) => pauseMs);
  const errors = failures.map(({ error }) => error);
  await connection.execute(
    ctx,
    sql`
      update outbox as o
      set attempts = o.attempts + 1, not_before = now() + f.pause_ms * interval '1 ms', last_error = f.error
      from unnest(${seqs}::int8[], ${pauses}::int4[], ${errors}::text[]) as f (seq, pause_ms, error)
      where o.seq = f.seq`,
  );
}

function toMessage({ id, type, aggregateid, headers, payload, created_at }: OutboxRow): Message {
  const [source = ""] = type.split(".");
  return {
    id,
    type,
    source,
    key: aggregateid,
    time: created_at,
    data: payload,
    headers: headers as Readonly<Record<string, string>>,
  };
}

/** Doubles up to five minutes; half of it random, so that what failed together does not come back together. */
function pauseMsAfter(attempts: number): number {
  const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempts);
  return Math.round(pauseMs * (0.5 + Math.random() / 2));
}
