import { type Context, orDone } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import {
  type Broker,
  type Delivery,
  RETRY_PAUSES_MS,
  type Subscription,
  type SubscriptionOptions,
  type Verdict,
} from "./broker.ts";
import { errorText } from "./error-text.ts";
import type { Message } from "./message.ts";

/** A message that was put aside. */
export interface ParkedMessage {
  readonly message: Message;
  readonly error: string;
}

/** A broker within the process, for tests: what it holds is gone with it. */
export interface MemoryBroker extends Broker {
  /** What a group put aside, oldest first. */
  parked(group: string): readonly ParkedMessage[];
}

/** Makes a broker within the process. A group takes messages from its first subscription on. */
export function createMemoryBroker(): MemoryBroker {
  return new InProcessBroker();
}

const PARKED_AT_MOST = 10_000;
const WAITING_AT_MOST = 100_000;

interface Waiting {
  readonly message: Message;
  /** Where it stands: what goes back comes before what came later. */
  readonly place: number;
  readonly failures: number;
  readonly isRedelivered: boolean;
}

class InProcessBroker implements MemoryBroker {
  readonly name = "broker";
  readonly #queues = new Map<string, Queue>();

  async start(): Promise<void> {}

  async stop(): Promise<undefined> {
    for (const queue of this.#queues.values()) queue.close();
  }

  async publish(ctx: Context, message: Message): Promise<void> {
    ctx.throwIfDone();
    const takers = [...this.#queues.values()].filter(({ types }) => types.has(message.type));
    if (takers.length === 0) throw new AppError("not_found", "no queue takes messages of this type");
    if (takers.some(({ isFull }) => isFull)) throw new AppError("unavailable", "the broker did not take a message");
    for (const queue of takers) queue.add(message);
  }

  notPublishingBecause(): undefined {}

  subscribe(options: SubscriptionOptions): Subscription {
    const queue = this.#queues.get(options.group) ?? new Queue(options.ordered ? [] : RETRY_PAUSES_MS);
    this.#queues.set(options.group, queue);
    return queue.subscribe(options);
  }

  parked(group: string): readonly ParkedMessage[] {
    return this.#queues.get(group)?.parked ?? [];
  }
}

/** What waits for a group, and who takes it. */
class Queue {
  readonly types = new Set<string>();
  readonly parked: ParkedMessage[] = [];
  readonly #pausesMs: readonly number[];
  readonly #waiting: Waiting[] = [];
  readonly #subscriptions = new Set<QueueSubscription>();
  readonly #pauses = new Set<NodeJS.Timeout>();
  #places = 0;

  constructor(pausesMs: readonly number[]) {
    this.#pausesMs = pausesMs;
  }

  get isFull(): boolean {
    return this.#waiting.length >= WAITING_AT_MOST;
  }

  add(message: Message, failures = 0): void {
    this.#waiting.push({ message, place: ++this.#places, failures, isRedelivered: false });
    this.wake();
  }

  /** Takes back what was not settled. */
  putBack(waiting: Waiting): void {
    const later = this.#waiting.findIndex(({ place }) => place > waiting.place);
    this.#waiting.splice(later < 0 ? this.#waiting.length : later, 0, { ...waiting, isRedelivered: true });
    this.wake();
  }

  subscribe(options: SubscriptionOptions): Subscription {
    for (const type of options.types) this.types.add(type);
    const subscription = new QueueSubscription(this, options);
    this.#subscriptions.add(subscription);
    this.wake();
    return subscription;
  }

  leave(subscription: QueueSubscription): void {
    this.#subscriptions.delete(subscription);
    this.wake();
  }

  settle(waiting: Waiting, verdict: Verdict): void {
    if (verdict.kind === "release") this.putBack(waiting);
    else if (verdict.kind !== "done") this.#putAside(waiting, verdict);
  }

  close(): void {
    for (const timer of this.#pauses) clearTimeout(timer);
  }

  #putAside({ message, failures }: Waiting, { kind, error }: Exclude<Verdict, { kind: "done" | "release" }>): void {
    const pauseMs = kind === "retry" ? this.#pausesMs[failures] : undefined;
    if (pauseMs === undefined) this.#park({ message, error });
    else this.#later(pauseMs, message, failures + 1);
  }

  #park(parked: ParkedMessage): void {
    this.parked.push(parked);
    if (this.parked.length > PARKED_AT_MOST) this.parked.shift();
  }

  #later(ms: number, message: Message, failures: number): void {
    const timer = setTimeout(() => {
      this.#pauses.delete(timer);
      this.add(message, failures);
    }, ms);
    this.#pauses.add(timer);
  }

  /** Hands out what waits to whoever has room. */
  wake(): void {
    // Not from within the publish, as with a broker elsewhere.
    setImmediate(() => {
      for (let taker = this.#free(); taker !== undefined && this.#waiting.length > 0; taker = this.#free()) {
        const next = this.#waiting.shift();
        if (next !== undefined) taker.take(next);
      }
    });
  }

  /** The subscription with the fewest under way, if it takes another. */
  #free(): QueueSubscription | undefined {
    const [first] = this.#subscriptions;
    const takers = [...(first?.isAlone ? [first] : this.#subscriptions)].filter(({ hasRoom }) => hasRoom);
    return takers.sort((one, other) => one.underWay - other.underWay)[0];
  }
}

class QueueSubscription implements Subscription {
  readonly #queue: Queue;
  readonly #options: SubscriptionOptions;
  readonly #unsettled = new Set<Waiting>();
  #whenSettled: (() => void)[] = [];
  #isDraining = false;
  #isStopped = false;

  constructor(queue: Queue, options: SubscriptionOptions) {
    this.#queue = queue;
    this.#options = options;
  }

  get underWay(): number {
    return this.#unsettled.size;
  }

  get hasRoom(): boolean {
    return !this.#isDraining && this.underWay < this.#options.prefetch;
  }

  /** While it is there nobody else of its group gets anything. */
  get isAlone(): boolean {
    return this.#options.ordered === true;
  }

  notTakingBecause(): undefined {}

  async drain(ctx: Context): Promise<void> {
    this.#isDraining = true;
    if (this.underWay > 0) await orDone(ctx, new Promise<void>((resolve) => this.#whenSettled.push(resolve)));
    this.#queue.leave(this);
  }

  async stop(): Promise<number> {
    this.#queue.leave(this);
    this.#isStopped = true;
    const unsettled = [...this.#unsettled];
    for (const waiting of unsettled) this.#queue.putBack(waiting);
    return unsettled.length;
  }

  take(waiting: Waiting): void {
    this.#unsettled.add(waiting);
    void this.#handle(waiting);
  }

  async #handle(waiting: Waiting): Promise<void> {
    const verdict = await this.#verdictOn(waiting);
    // Who was stopped has no say any more: the message went back.
    if (!this.#isStopped) this.#queue.settle(waiting, verdict);
    this.#unsettled.delete(waiting);
    if (this.underWay === 0) for (const settled of this.#whenSettled.splice(0)) settled();
    this.#queue.wake();
  }

  async #verdictOn(delivery: Delivery): Promise<Verdict> {
    try {
      return await this.#options.handle(delivery);
    } catch (thrown) {
      return { kind: "retry", error: errorText(thrown) };
    }
  }
}
