/** What the bench asks of a process that publishes, and of one that consumes. */
export type Order =
  /** Publish messages with these numbers: so many a second, or as fast as it goes. */
  | { readonly kind: "publish"; readonly first: number; readonly count: number; readonly perSecond?: number }
  /** Say when the messages with these numbers have taken effect. */
  | { readonly kind: "expect"; readonly first: number; readonly count: number }
  | { readonly kind: "end" };

/** What it answers: that it can take orders, or when each message got under way or took effect, in milliseconds since 1970. */
export type Answer = { readonly kind: "ready" } | { readonly kind: "times"; readonly times: readonly number[] };

/** What a worker does in the end. */
export interface Worker {
  /** Publishes a message, and gives the time from which on it is under way, once it is safe. */
  publish?(n: number): Promise<number>;
  stop(): Promise<void>;
}

/** How many a publisher has under way when it publishes as fast as it goes. */
const CONCURRENCY = 64;
const TICK_MS = 5;

/** The time, finer than `Date.now()`, and the same for all processes of a machine. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/** When which message took effect, in a process that consumes. */
export class Effects {
  readonly #times = new Map<number, number>();
  #expected: { readonly first: number; readonly count: number } | undefined;

  note(n: number): void {
    if (!this.#times.has(n)) this.#times.set(n, now());
    this.#answer();
  }

  expect(expected: { readonly first: number; readonly count: number }): void {
    this.#expected = expected;
    this.#answer();
  }

  #answer(): void {
    if (this.#expected === undefined) return;
    const { first, count } = this.#expected;
    if (this.#times.size < first + count) return;
    this.#expected = undefined;
    answer({ kind: "times", times: Array.from({ length: count }, (_, i) => this.#times.get(first + i) ?? Number.NaN) });
  }
}

/** Takes orders from the parent process until it is told to end. */
export function serve(worker: Worker, effects?: Effects): void {
  process.on("message", (order: Order) => {
    if (order.kind === "expect") effects?.expect(order);
    else if (order.kind === "end") void worker.stop().finally(() => process.disconnect());
    else void publishAll(worker, order).then((times) => answer({ kind: "times", times }));
  });
  answer({ kind: "ready" });
}

function answer(message: Answer): void {
  process.send?.(message);
}

async function publishAll(worker: Worker, order: Extract<Order, { kind: "publish" }>): Promise<readonly number[]> {
  const times: number[] = [];
  const publish = async (i: number) => {
    times[i] = (await worker.publish?.(order.first + i)) ?? Number.NaN;
  };
  if (order.perSecond === undefined) {
    let next = 0;
    const lane = async () => {
      while (next < order.count) await publish(next++);
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, lane));
    return times;
  }
  const startedAt = now();
  const publishes: Promise<void>[] = [];
  while (publishes.length < order.count) {
    const due = Math.min(order.count, Math.ceil(((now() - startedAt) / 1000) * order.perSecond));
    while (publishes.length < due) publishes.push(publish(publishes.length));
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  await Promise.all(publishes);
  return times;
}
