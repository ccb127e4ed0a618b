import { type CancelableContext, type Context, rootContext } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import type { Logger } from "../log/index.ts";
import type { Broker } from "../messaging/index.ts";
import { type OwnConnection, sql } from "../postgres/index.ts";
import { Bell } from "./bell.ts";
import { Dispatch, OutboxRow } from "./dispatch.ts";
import { Pace } from "./pace.ts";
import type { RelayInstruments } from "./relay-instruments.ts";
import { LANES, RelayLanes } from "./relay-lanes.ts";

export interface RelayShiftOptions {
  readonly connection: OwnConnection;
  readonly broker: Broker;
  readonly instruments: RelayInstruments;
  readonly log: Logger;
}

/** A session that says nothing for so long is ended by the server: its process is frozen, and another has to take over. */
const IDLE_SESSION_TIMEOUT_MS = 900;
const KEEP_LANES_EVERY_MS = 300;
const POLL_MS = 500;
const POLL_JITTER = 0.2;
const POLL_WHILE_BUSY_MS = 25;
/** So that a stream of commits costs a look for many, not for each. */
const SHORTEST_POLL_MS = 5;
const NOTIFY_EVERY_MS = 50;

const ABANDONED = new AppError("canceled", "the session of the relay is gone");

/** What a relay does over one session. */
export class RelayShift {
  readonly #options: RelayShiftOptions;
  readonly #ctx: CancelableContext;
  readonly #bell = new Bell();
  readonly #lanes: RelayLanes;
  readonly #dispatch: Dispatch;
  readonly #pace = new Pace();
  #keepAt = 0;
  #pollAt = 0;
  #polledAt = Number.NEGATIVE_INFINITY;
  #notifyAt: number | undefined;
  #notifiedAt = Number.NEGATIVE_INFINITY;
  #isEnding = false;

  constructor(options: RelayShiftOptions) {
    const { connection, broker, instruments, log } = options;
    this.#options = options;
    this.#ctx = rootContext(log);
    this.#lanes = new RelayLanes(connection);
    this.#dispatch = new Dispatch(broker, instruments, () => this.#bell.ring());
    connection.lost.then((reason) => this.#ctx.cancel(reason));
    connection.onNotification(() => this.#look());
  }

  /** A transaction of this process has left so many events. */
  appended(count: number): void {
    this.#pace.left(count);
    // Its lane may be another process's.
    if (this.#lanes.mine.length < LANES) this.#notifyAt ??= this.#notifiedAt + NOTIFY_EVERY_MS;
    this.#look();
  }

  /** Takes no more events, and ends when what is under way is written down. */
  end(): void {
    this.#isEnding = true;
    this.#dispatch.close();
    this.#bell.ring();
  }

  /** Ends at once. */
  abandon(): void {
    this.#ctx.cancel(ABANDONED);
  }

  /** Relays until it is told to end, and tells when it has begun. Throws when the session is lost. */
  async run(onBegun: () => void): Promise<void> {
    const { connection } = this.#options;
    const ctx = this.#ctx;
    // The planner sees a table that is empty nearly always, and would read and sort all of it at each look, also when it has filled in a
    // moment; the indexes have the first few.
    await connection.execute(
      ctx,
      sql`select set_config('idle_session_timeout', ${String(IDLE_SESSION_TIMEOUT_MS)}, false),
        set_config('enable_seqscan', 'off', false), set_config('enable_bitmapscan', 'off', false),
        set_config('jit', 'off', false)`,
    );
    await connection.execute(ctx, sql`listen outbox`);
    await this.#lanes.join(ctx);
    onBegun();
    while (!this.#isEnding || !this.#dispatch.isIdle) {
      await this.#bell.next(ctx, this.#nextAt() - performance.now());
      await this.#round(ctx);
    }
    await this.#dispatch.flush(ctx, connection);
  }

  async #round(ctx: Context): Promise<void> {
    const { connection } = this.#options;
    const now = performance.now();
    if (now >= this.#keepAt) await this.#keepLanes(ctx);
    if (now >= (this.#dispatch.flushAt ?? Number.POSITIVE_INFINITY)) await this.#dispatch.flush(ctx, connection);
    if (now >= (this.#notifyAt ?? Number.POSITIVE_INFINITY)) await this.#notify(ctx);
    if (now >= this.#pollAt && !this.#isEnding) await this.#poll(ctx);
  }

  #nextAt(): number {
    const { flushAt } = this.#dispatch;
    const pollAt = this.#isEnding ? [] : [this.#pollAt];
    return Math.min(this.#keepAt, ...pollAt, ...[flushAt, this.#notifyAt].filter((at) => at !== undefined));
  }

  #look(): void {
    this.#pollAt = Math.min(this.#pollAt, this.#polledAt + SHORTEST_POLL_MS);
    this.#bell.ring();
  }

  async #keepLanes(ctx: Context): Promise<void> {
    const before = this.#lanes.mine.length;
    await this.#lanes.keep(ctx, (lane) => this.#dispatch.hasOf(lane));
    this.#keepAt = performance.now() + KEEP_LANES_EVERY_MS;
    const now = this.#lanes.mine.length;
    this.#options.instruments.lanes.set(now);
    if (now > before) this.#pollAt = 0;
  }

  /** Never within the transaction of an event: a commit that notifies holds a lock of the whole server. (PostgreSQL, `PreCommit_Notify`.) */
  async #notify(ctx: Context): Promise<void> {
    this.#notifyAt = undefined;
    this.#notifiedAt = performance.now();
    await this.#options.connection.execute(ctx, sql`notify outbox`);
  }

  /** Takes what waits, and has it published. */
  async #poll(ctx: Context): Promise<void> {
    const { broker } = this.#options;
    this.#polledAt = performance.now();
    const room = Math.min(this.#dispatch.room, this.#pace.room);
    const rows = room > 0 && broker.notPublishingBecause() === undefined ? await this.#waiting(ctx, room) : [];
    const waitMs = rows.length > 0 || !this.#dispatch.isIdle ? POLL_WHILE_BUSY_MS : pollMs();
    this.#pollAt = this.#polledAt + (rows.length === room ? SHORTEST_POLL_MS : waitMs);
    this.#pace.took(rows.length);
    for (const row of rows) this.#dispatch.publish(ctx, row);
  }

  /** Events that are not taken yet: fresh ones and those due for another attempt, but for what is behind a failed one of its key. */
  #waiting(ctx: Context, limit: number): Promise<readonly OutboxRow[]> {
    const { mine } = this.#lanes;
    if (mine.length === 0) return Promise.resolve([]);
    const { taken } = this.#dispatch;
    return this.#options.connection.query(
      ctx,
      sql(OutboxRow)`
        (select seq, id, lane, aggregatetype, aggregateid, type, headers, payload, created_at, attempts
          from outbox as o
          where attempts = 0 and lane = any(${mine}::int2[]) and seq <> all(${taken}::int8[])
            and not exists (
              select from outbox as f
              where f.attempts > 0 and f.aggregatetype = o.aggregatetype and f.aggregateid = o.aggregateid
                and f.seq < o.seq)
          order by seq limit ${limit})
        union all
        (select seq, id, lane, aggregatetype, aggregateid, type, headers, payload, created_at, attempts
          from outbox as o
          where attempts > 0 and not_before <= now() and lane = any(${mine}::int2[]) and seq <> all(${taken}::int8[])
            and not exists (
              select from outbox as f
              where f.attempts > 0 and f.aggregatetype = o.aggregatetype and f.aggregateid = o.aggregateid
                and f.seq < o.seq)
          order by not_before limit ${limit})
        order by seq limit ${limit}`,
    );
  }
}

function pollMs(): number {
  return POLL_MS * (1 - POLL_JITTER + 2 * POLL_JITTER * Math.random());
}
