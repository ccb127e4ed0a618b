import type { Context } from "../context/index.ts";
import type { DriverQuery, DriverResult } from "./driver-client.ts";
import { LANE_LOCK_TIMEOUT_MS, LANE_STATEMENT_TIMEOUT_MS, Lane, type LaneOptions } from "./lane.ts";

/** How many connections the short statements of a process share: with two, one that stalls does not stall them all. */
const LANES = 2;

/** The connections that short statements share; each goes to an open one, where the fewest are under way. */
export class Lanes {
  readonly #options: LaneOptions;
  #lanes: readonly Lane[];

  constructor(options: LaneOptions) {
    const statementTimeoutMs = Math.min(LANE_STATEMENT_TIMEOUT_MS, options.statementTimeoutMs);
    const lockTimeoutMs = Math.min(LANE_LOCK_TIMEOUT_MS, options.lockTimeoutMs);
    this.#options = { ...options, statementTimeoutMs, lockTimeoutMs };
    this.#lanes = this.#make();
  }

  /** How many of the connections are open, and how many statements are under way on them or wait for one. */
  get stats(): { readonly open: number; readonly inFlight: number } {
    const inFlight = this.#lanes.reduce((sum, lane) => sum + lane.inFlight, 0);
    return { open: this.#lanes.filter(({ isOpen }) => isOpen).length, inFlight };
  }

  /** Runs one statement; throws as `Lane.run` does. */
  run(ctx: Context, query: DriverQuery): Promise<DriverResult> {
    return this.#choose().run(ctx, query);
  }

  /** Opens every connection; throws `unavailable` when one can't be. */
  async warmUp(ctx: Context): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.run(ctx, { text: "select", name: "p_warm_up" })));
  }

  /** Has what comes next go by new connections; what is under way ends on the old ones. */
  renew(): void {
    for (const lane of this.#lanes) lane.retire();
    this.#lanes = this.#make();
  }

  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }

  #make(): readonly Lane[] {
    return Array.from({ length: LANES }, () => this.#makeOne());
  }

  #makeOne(): Lane {
    const lane: Lane = new Lane({ ...this.#options, onLockedOut: () => this.#replace(lane) });
    return lane;
  }

  /** What was sent behind a statement that waits for a lock waits with it: nothing more is. */
  #replace(locked: Lane): void {
    if (!this.#lanes.includes(locked)) return;
    this.#lanes = this.#lanes.map((lane) => (lane === locked ? this.#makeOne() : lane));
    locked.retire();
  }

  #choose(): Lane {
    // One that can't connect has the fewest under way, and would have them all.
    for (const lane of this.#lanes) lane.open();
    const open = this.#lanes.filter(({ isOpen }) => isOpen);
    return leastBusy(open.length > 0 ? open : this.#lanes);
  }
}

function leastBusy(lanes: readonly Lane[]): Lane {
  const [first, ...others] = lanes as readonly [Lane, ...Lane[]];
  return others.reduce((least, lane) => (lane.inFlight < least.inFlight ? lane : least), first);
}
