import { createHistogram, type EventLoopUtilization, performance, type RecordableHistogram } from "node:perf_hooks";
import type { Registry } from "./registry.ts";

const PERIOD_MS = 10;
// The readers of one scrape run within a millisecond or so and share one look at the loop.
const SAME_SCRAPE_MS = 100;

/** Exposes the event loop's delay and utilization since the scrape before; returns what stops measuring them. */
export function collectEventLoopMetrics(registry: Registry): () => void {
  const loop = new EventLoopObserver();
  const expose = (name: string, help: string, read: () => number | undefined) => registry.gauge({ name, help, read });
  const delayed = (which: string) => `How late the event loop ran timers, since the scrape before (${which}).`;
  expose("nodejs_eventloop_delay_min_seconds", delayed("min"), () => loop.delay((seen) => seen.min));
  expose("nodejs_eventloop_delay_mean_seconds", delayed("mean"), () => loop.delay((seen) => seen.mean));
  expose("nodejs_eventloop_delay_p50_seconds", delayed("p50"), () => loop.delay((seen) => seen.percentile(50)));
  expose("nodejs_eventloop_delay_p99_seconds", delayed("p99"), () => loop.delay((seen) => seen.percentile(99)));
  expose("nodejs_eventloop_delay_max_seconds", delayed("max"), () => loop.delay((seen) => seen.max));
  expose("nodejs_eventloop_utilization_ratio", "Share of the time since the scrape before spent busy.", () =>
    loop.utilization(),
  );
  return () => loop.stop();
}

/**
 * Measures with a timer of its own. Node's `monitorEventLoopDelay` forgets the interval that is going on when it is reset,
 * so a scrape that waited behind a blocked loop would hide the very delay it ran into.
 */
class EventLoopObserver {
  #counting = createHistogram();
  #seen = createHistogram();
  #lookedAt = Number.NEGATIVE_INFINITY;
  #tickedAt = performance.now();
  #busy: EventLoopUtilization = performance.eventLoopUtilization();
  #utilization = 0;
  readonly #timer = setInterval(() => this.#tick(), PERIOD_MS).unref();

  /** Seconds, or undefined when nothing was measured. */
  delay(read: (seen: RecordableHistogram) => number): number | undefined {
    this.#look();
    return this.#seen.count === 0 ? undefined : read(this.#seen) / 1e9;
  }

  /** From 0, idle, to 1. */
  utilization(): number {
    this.#look();
    return this.#utilization;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    if (now - this.#lookedAt < SAME_SCRAPE_MS) return;
    this.#lookedAt = now;
    if (now > this.#tickedAt + PERIOD_MS) this.#tick();
    this.#seen = this.#counting;
    this.#counting = createHistogram();
    const busy = performance.eventLoopUtilization();
    this.#utilization = performance.eventLoopUtilization(busy, this.#busy).utilization;
    this.#busy = busy;
  }

  #tick(): void {
    const now = performance.now();
    const lateMs = now - this.#tickedAt - PERIOD_MS;
    this.#tickedAt = now;
    // Nanoseconds, of which the histogram takes 1 and more.
    this.#counting.record(Math.max(1, Math.round(lateMs * 1e6)));
  }
}
