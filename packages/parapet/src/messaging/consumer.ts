import { type CancelableContext, type Context, rootContext, sleep, withTimeout } from "../context/index.ts";
import { AppError, hasCode, toAppError } from "../errors/index.ts";
import type { Aborted, Component, Readiness } from "../lifecycle/index.ts";
import type { Logger } from "../log/index.ts";
import { metrics as processMetrics, type Registry } from "../metrics/index.ts";
import { type Broker, type Delivery, RETRY_PAUSES_MS, type Subscription, type Verdict } from "./broker.ts";
import { errorText } from "./error-text.ts";
import type { EventHandler } from "./event-handler.ts";
import { type EventReader, eventReader } from "./event-reader.ts";
import { type ConsumeResult, type Instruments, instrumentsOf } from "./instruments.ts";
import { KeyTurns } from "./key-turns.ts";
import { MessageOnce } from "./message-once.ts";

/** Counts how often the handling of a message was begun, so that one that ends the process each time can be told. */
export interface StartMarks {
  /** Notes a start, and gives how many there were, this one included. Throws `unavailable`. */
  began(ctx: Context, consumer: string, messageId: string): Promise<number>;
  /** Forgets the starts of a message that was handled, whatever came of it. Throws `unavailable`. */
  ended(ctx: Context, consumer: string, messageId: string): Promise<void>;
}

export interface ConsumerOptions {
  readonly from: Broker;
  /** Who consumes, in snake case: the name of the queue. Services take their own. */
  readonly group: string;
  readonly handlers: readonly EventHandler[];
  readonly log: Logger;
  /** Where to count; the process-wide registry by default. */
  readonly metrics?: Registry;
  /** How many messages may be under way at once, 10 by default. */
  readonly prefetch?: number;
  /** How long handling a message may take, in milliseconds, 30,000 by default. */
  readonly timeoutMs?: number;
  /**
   * Handles the messages of a key strictly in their order, also over failures and from one process of the group to the next. One process
   * at a time takes messages, and the others stand by. What fails is tried again in its place, after the same pauses, and those of its key
   * wait until it is done or parked; with as many waiting as `prefetch` has room for, all do. All processes of a group have to ask for
   * the same, and a group can't change it later. False by default: what fails is overtaken by what comes after it.
   */
  readonly ordered?: boolean;
  /** Without these a message whose handling ends the process is parked by the broker, and others with it. */
  readonly starts?: StartMarks;
}

const GROUP = /^[a-z][a-z0-9_]{0,63}$/;
const DEFAULT_PREFETCH = 10;
const DEFAULT_TIMEOUT_MS = 30_000;
/** Of these none was finished, since the process ended. */
const MAX_STARTS = 3;
const MARK_TIMEOUT_MS = 1000;
/** RabbitMQ's own `consumer_timeout`: who keeps a message for longer loses its channel. */
const LONGEST_KEPT_MS = 1_800_000;
const STOPPED = new AppError("canceled", "the consumer is being stopped");
/** What no repetition mends. */
const HOPELESS = ["invalid", "forbidden", "unauthenticated"] as const;

/** Takes the messages of a group and has them handled. Is ready once it takes them. */
export interface Consumer extends Component, Readiness {}

/**
 * Makes a consumer. Throws `internal` for a group without a fit name, for an event with two handlers, and for order with a `timeoutMs`
 * above 174,000, with which a message that fails again and again would be kept for longer than RabbitMQ allows, half an hour.
 */
export function createConsumer(options: ConsumerOptions): Consumer {
  return new GroupConsumer(options);
}

interface Reading {
  readonly read: EventReader;
  readonly handle: EventHandler["handle"];
}

class GroupConsumer implements Consumer {
  readonly name: string;
  readonly #options: ConsumerOptions;
  readonly #instruments: Instruments;
  readonly #readings: ReadonlyMap<string, Reading>;
  readonly #root: CancelableContext;
  readonly #turns = new KeyTurns();
  /** Of messages that may have ended a process before: one at a time, so that no other is taken for the one that did it. */
  readonly #suspects = new KeyTurns();
  readonly #taking: CancelableContext;
  #subscription: Subscription | undefined;

  constructor(options: ConsumerOptions) {
    const { group, handlers, log, metrics = processMetrics, ordered = false, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    if (!GROUP.test(group)) throw new AppError("internal", "a group is named in snake case", { fields: { group } });
    if (ordered && keptAtMostMs(timeoutMs) > LONGEST_KEPT_MS)
      throw new AppError("internal", "a consumer that keeps order has to give up sooner", {
        fields: { group, timeoutMs },
      });
    this.name = `consumer ${group}`;
    this.#options = options;
    this.#instruments = instrumentsOf(metrics);
    this.#readings = readingsOf(handlers);
    this.#root = rootContext(log);
    this.#taking = rootContext(log);
  }

  notReadyBecause(): string | undefined {
    return this.#subscription === undefined ? "it was not started yet" : this.#subscription.notTakingBecause();
  }

  async start(): Promise<void> {
    const { from, group, prefetch = DEFAULT_PREFETCH, ordered = false } = this.#options;
    const types = [...this.#readings.keys()];
    const handle = (delivery: Delivery) => this.#handle(delivery);
    this.#subscription = from.subscribe({ group, types, prefetch, ordered, handle });
  }

  async drain(ctx: Context): Promise<undefined> {
    this.#taking.cancel(STOPPED);
    await this.#subscription?.drain(ctx);
  }

  async stop(ctx: Context): Promise<Aborted> {
    this.#taking.cancel(STOPPED);
    this.#root.cancel(STOPPED);
    return { messages: (await this.#subscription?.stop(ctx)) ?? 0 };
  }

  async #handle(delivery: Delivery): Promise<Verdict> {
    const { group, ordered } = this.#options;
    const { message, isRedelivered } = delivery;
    if (isRedelivered) this.#instruments.redelivered.with({ group }).inc();
    return this.#turns.run(message.key ?? "", () => (ordered ? this.#inPlace(delivery) : this.#turn(delivery)));
  }

  /** Tries until the message is done or parked, while those of its key wait. */
  async #inPlace(first: Delivery): Promise<Verdict> {
    for (let { failures } = first; ; failures++) {
      const verdict = await this.#turn({ ...first, failures });
      if (verdict.kind === "park") return { ...verdict, failures: failures + 1 };
      if (verdict.kind !== "retry") return verdict;
      const pauseMs = RETRY_PAUSES_MS[failures];
      if (pauseMs === undefined) return { kind: "park", error: verdict.error, failures: failures + 1 };
      // A pause that is cut short leaves it to the next turn to give the message back.
      await sleep(this.#taking, pauseMs).catch(() => {});
    }
  }

  async #turn(delivery: Delivery): Promise<Verdict> {
    const { starts } = this.#options;
    if (!delivery.isRedelivered || starts === undefined) return this.#begin(delivery, undefined);
    return this.#suspects.run("all", () => this.#begin(delivery, starts));
  }

  async #begin(delivery: Delivery, starts: StartMarks | undefined): Promise<Verdict> {
    // It waited for its turn, and would be in the way of the end now.
    if (this.#taking.done !== undefined) return this.#concluded(delivery, { kind: "release" }, "released");
    const inFlight = this.#instruments.inFlight.with({ group: this.#options.group });
    inFlight.inc();
    try {
      return await this.#attempt(delivery, starts);
    } finally {
      inFlight.dec();
    }
  }

  async #attempt(delivery: Delivery, starts: StartMarks | undefined): Promise<Verdict> {
    const startedAt = performance.now();
    try {
      const result = await this.#run(delivery, starts);
      return this.#concluded(delivery, { kind: "done" }, result, startedAt);
    } catch (thrown) {
      const error = toAppError(thrown);
      const verdict = { kind: hasCode(error, ...HOPELESS) ? "park" : "retry", error: errorText(error) } as const;
      this.#logFailure(delivery, error, verdict.kind);
      return this.#concluded(delivery, verdict, verdict.kind === "park" ? "parked" : "retried", startedAt);
    }
  }

  async #run({ message }: Delivery, starts: StartMarks | undefined): Promise<"done" | "duplicate"> {
    const { group, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options;
    const reading = this.#readings.get(message.type ?? "");
    if (reading === undefined) throw new AppError("invalid", "nobody here handles messages of this type");
    const event = reading.read(message);
    const once = new MessageOnce(group, event.id);
    const ctx = this.#root.withFields({ message_id: event.id, message_type: message.type, group });
    return withTimeout(ctx, timeoutMs, async (ctx) => {
      const begun = (await starts?.began(ctx, group, event.id)) ?? 0;
      try {
        if (begun >= MAX_STARTS)
          throw new AppError("invalid", "handling this message was begun again and again, and never ended");
        return await once.run(() => reading.handle(ctx, { ...event, data: event.data as never, once }));
      } finally {
        if (begun > 0) await this.#forget(event.id, starts);
      }
    });
  }

  /** What came of it stands: a mark that can't be removed counts once too often, and expires. */
  async #forget(messageId: string, starts: StartMarks | undefined): Promise<void> {
    const { group, log } = this.#options;
    try {
      // Also when the consumer is being stopped, so that this does not pass for a crash.
      await withTimeout(rootContext(log), MARK_TIMEOUT_MS, async (ctx) => starts?.ended(ctx, group, messageId));
    } catch (error) {
      log.warn("the mark of a message's start was not removed", { group, message_id: messageId, error });
    }
  }

  #concluded(delivery: Delivery, verdict: Verdict, result: ConsumeResult, startedAt = performance.now()): Verdict {
    const { group, log } = this.#options;
    const { id, type = "" } = delivery.message;
    // Only what is handled here, so that no sender makes series.
    const labels = { group, type: this.#readings.has(type) ? type : "__other__" };
    const seconds = (performance.now() - startedAt) / 1000;
    this.#instruments.consumed.with({ ...labels, result }).inc();
    this.#instruments.handleDuration.with(labels).observe(seconds);
    const fields = { ...labels, message_id: id, failures: delivery.failures };
    log.info("message", { ...fields, result, duration_ms: Math.round(seconds * 1e6) / 1e3 });
    return verdict;
  }

  #logFailure({ message: { id, type } }: Delivery, error: AppError, kind: "park" | "retry"): void {
    const isOurs = kind === "park" || error.code === "internal";
    const fields = { group: this.#options.group, message_id: id, message_type: type, error };
    this.#options.log[isOurs ? "error" : "warn"]("handling a message failed", fields);
  }
}

/** How long a message may be under way whose every attempt takes all its time and fails, where order is kept. */
function keptAtMostMs(timeoutMs: number): number {
  return RETRY_PAUSES_MS.reduce((sum, pauseMs) => sum + pauseMs + timeoutMs, timeoutMs);
}

function readingsOf(handlers: readonly EventHandler[]): ReadonlyMap<string, Reading> {
  const readings = new Map<string, Reading>();
  for (const { event, handle } of handlers) {
    if (readings.has(event.type))
      throw new AppError("internal", "an event has one handler a group", { fields: { type: event.type } });
    readings.set(event.type, { read: eventReader(event), handle });
  }
  return readings;
}
