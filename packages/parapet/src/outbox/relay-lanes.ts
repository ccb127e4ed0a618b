import type { Context } from "../context/index.ts";
import { type OwnConnection, row, sql } from "../postgres/index.ts";

/** What keys are spread over: see `append.ts`. */
export const LANES = 16;

/** The first part of the advisory locks' names. ASCII `outl`; the second is the lane, or `MEMBERS`, which every relay shares. */
const LOCKS = 0x6f75746c;
const MEMBERS = LANES;

const Standing = row({ relays: "int4", held: "int4[]" });
const Lane = row({ lane: "int4" });

/** The lanes that one relay has, by locks of its session, so that another has them as soon as the session is gone. */
export class RelayLanes {
  readonly #connection: OwnConnection;
  #held: readonly number[] = [];
  #share = LANES;

  constructor(connection: OwnConnection) {
    this.#connection = connection;
  }

  /** The lanes to take events from: those that are being given back are none of them. */
  get mine(): readonly number[] {
    return this.#held.slice(0, this.#share);
  }

  /** Makes this relay known to the others, which leave it its share. */
  async join(ctx: Context): Promise<void> {
    await this.#connection.execute(ctx, sql`select pg_advisory_lock_shared(${LOCKS}::int4, ${MEMBERS}::int4)`);
  }

  /** Takes what is free of this relay's fair share, and gives back what is beyond it and has nothing under way. */
  async keep(ctx: Context, isBusy: (lane: number) => boolean): Promise<void> {
    await this.#look(ctx);
    if (this.#held.length < this.#share) await this.#take(ctx);
    const surplus = this.#held.slice(this.#share).filter((lane) => !isBusy(lane));
    if (surplus.length > 0) await this.#giveBack(ctx, surplus);
  }

  async #look(ctx: Context): Promise<void> {
    const [standing] = await this.#connection.query(
      ctx,
      sql(Standing)`
        select count(*) filter (where objid = ${MEMBERS}::int4::oid)::int4 as relays,
          coalesce(array_agg(objid::int4 order by objid)
            filter (where pid = pg_backend_pid() and objid <> ${MEMBERS}::int4::oid), '{}') as held
        from pg_locks
        where locktype = 'advisory' and classid = ${LOCKS}::int4::oid and objsubid = 2 and granted
          and database = (select oid from pg_database where datname = current_database())`,
    );
    this.#held = standing?.held ?? [];
    this.#share = Math.ceil(LANES / Math.max(1, standing?.relays ?? 1));
  }

  async #take(ctx: Context): Promise<void> {
    const others = Array.from({ length: LANES }, (_, lane) => lane).filter((lane) => !this.#held.includes(lane));
    const wanted = this.#share - this.#held.length;
    const taken = await this.#connection.query(
      ctx,
      sql(Lane)`
        select lane from unnest(${others}::int4[]) as lane
        where pg_try_advisory_lock(${LOCKS}::int4, lane) limit ${wanted}`,
    );
    this.#held = [...this.#held, ...taken.map(({ lane }) => lane)].toSorted((one, other) => one - other);
  }

  async #giveBack(ctx: Context, lanes: readonly number[]): Promise<void> {
    await this.#connection.execute(
      ctx,
      sql`select pg_advisory_unlock(${LOCKS}::int4, lane) from unnest(${lanes}::int4[]) as lane`,
    );
    this.#held = this.#held.filter((lane) => !lanes.includes(lane));
  }
}
