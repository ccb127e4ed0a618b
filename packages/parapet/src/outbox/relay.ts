import { type CancelableContext, type Context, orDone, rootContext, sleep, withTimeout } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import type { Aborted, Component } from "../lifecycle/index.ts";
import type { Logger } from "../log/index.ts";
import type { Broker } from "../messaging/index.ts";
import { metrics as processMetrics, type Registry } from "../metrics/index.ts";
import type { Database } from "../postgres/index.ts";
import { createBacklogGauge } from "./backlog.ts";
import { onAppended } from "./nudges.ts";
import { type RelayInstruments, relayInstrumentsOf } from "./relay-instruments.ts";
import { RelayShift } from "./relay-shift.ts";

export interface OutboxRelayOptions {
  readonly from: Database;
  readonly to: Broker;
  readonly log: Logger;
  /** Where to count; the process-wide registry by default. */
  readonly metrics?: Registry;
}

/**
 * Makes the component that publishes what transactions leave in the outbox, at least once and in the order of each key, in any number of
 * processes: they share the keys among them, and whoever is gone is replaced within two seconds.
 */
export function createOutboxRelay(options: OutboxRelayOptions): Component {
  return new OutboxRelay(options);
}

const FIRST_PAUSE_MS = 100;
/** The longest pause before another session; each is random, so that processes don't come back together. */
const LONGEST_PAUSE_MS = 2000;
/** For the confirms of what is under way; what has none by then is published again by the next process. */
const STOP_TIMEOUT_MS = 2000;

const STOPPED = new AppError("canceled", "the relay is being stopped");

class OutboxRelay implements Component {
  readonly name = "outbox relay";
  readonly #options: OutboxRelayOptions;
  readonly #instruments: RelayInstruments;
  readonly #backlog: Component;
  readonly #root: CancelableContext;
  #shift: RelayShift | undefined;
  #isStopping = false;
  #isTold = false;
  #failures = 0;
  #running: Promise<void> = Promise.resolve();
  #unsubscribe: () => void = () => {};

  constructor(options: OutboxRelayOptions) {
    const { from, log, metrics = processMetrics } = options;
    this.#options = options;
    this.#instruments = relayInstrumentsOf(metrics);
    this.#backlog = createBacklogGauge(from, { log, instruments: this.#instruments });
    this.#root = rootContext(log);
  }

  async start(ctx: Context): Promise<void> {
    this.#unsubscribe = onAppended((count) => this.#shift?.appended(count));
    // It ends with an error only when it is stopped.
    this.#running = this.#keep(this.#root).catch(() => {});
    await this.#backlog.start(ctx);
  }

  async stop(ctx: Context): Promise<Aborted | undefined> {
    this.#isStopping = true;
    this.#unsubscribe();
    // One that is still on its way to the database has nothing to end.
    if (this.#shift === undefined) this.#root.cancel(STOPPED);
    else this.#shift.end();
    try {
      await withTimeout(ctx, STOP_TIMEOUT_MS, (ctx) => orDone(ctx, this.#running));
    } catch {
      ctx.throwIfDone();
    } finally {
      this.#root.cancel(STOPPED);
      await this.#backlog.stop(ctx);
    }
    return undefined;
  }

  async #keep(ctx: Context): Promise<void> {
    while (!this.#isStopping) {
      try {
        await this.#hold(ctx);
      } catch (error) {
        ctx.throwIfDone();
        this.#report(ctx, error);
        await sleep(ctx, Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures++) * Math.random());
      }
    }
  }

  /** Relays over one session, until it is lost or the relay is stopped. */
  async #hold(ctx: Context): Promise<void> {
    const { from, to } = this.#options;
    const connection = await from.connect(ctx);
    const shift = new RelayShift({ connection, broker: to, instruments: this.#instruments, log: ctx.log });
    this.#shift = shift;
    try {
      // What came before it was there to be told.
      if (this.#isStopping) return;
      const isUp = () => {
        this.#failures = 0;
        this.#isTold = false;
      };
      await orDone(ctx, shift.run(isUp));
    } finally {
      this.#shift = undefined;
      shift.abandon();
      this.#instruments.lanes.set(0);
      await connection.close();
    }
  }

  /** Logs that nothing is relayed, once. */
  #report(ctx: Context, error: unknown): void {
    if (!this.#isTold) ctx.log.warn("no events are relayed", { error });
    this.#isTold = true;
  }
}
