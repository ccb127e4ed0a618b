import {
  type Counter,
  type Gauge,
  type Histogram,
  type Labeled,
  perRegistry,
  type Registry,
} from "../metrics/index.ts";

/** How a request was answered: from the process, from Redis, by a load, by another caller's load, by a load past Redis. */
export type RequestResult = "near_hit" | "redis_hit" | "miss" | "shared" | "bypass";
export type RefreshResult = "ok" | "elsewhere" | "outdated" | "failed";
export type Operation = "claim" | "fill" | "replace" | "release" | "unlink" | "claim_refresh";

// Seconds. Redis answers in a quarter of a millisecond, and is given up after 100.
const OPERATION_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1];

/** The instruments of this room in a registry: made once, and shared by all caches of the process. */
export const instrumentsOf: (registry: Registry) => Instruments = perRegistry((registry) => new Instruments(registry));

/** The series of one kind of entries, looked up once: a hit counts in nanoseconds. */
export interface EntriesInstruments {
  readonly requests: Readonly<Record<RequestResult, Counter>>;
  readonly refreshes: Readonly<Record<RefreshResult, Counter>>;
  readonly leaseWaits: Counter;
  readonly invalidations: Readonly<Record<"ok" | "failed", Counter>>;
  readonly decodeFailures: Counter;
  readonly encodeFailures: Counter;
  readonly loadDuration: Histogram;
}

export class Instruments {
  readonly nearFlushes: Counter;
  readonly connects: Labeled<"result", Counter>;
  readonly errors: Labeled<"kind", Counter>;
  readonly refusals: Counter;
  readonly openBreakers: Gauge;
  readonly operations: Labeled<"operation", Histogram>;
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
    this.nearFlushes = registry.counter({
      name: "cache_near_flushes_total",
      help: "Times that everything held in the process was dropped, since Redis said so or was lost.",
    });
    this.connects = registry.counter({
      name: "cache_redis_connects_total",
      help: "Attempts to connect to Redis, by ok or failed.",
      labels: ["result"],
    });
    this.errors = registry.counter({
      name: "cache_redis_errors_total",
      help: "Operations on Redis that failed: timeout, connection, or what Redis said.",
      labels: ["kind"],
    });
    this.refusals = registry.counter({
      name: "cache_breaker_refusals_total",
      help: "Operations on Redis that the open breaker spared their callers.",
    });
    this.openBreakers = registry.gauge({
      name: "cache_breaker_open",
      help: "1 while the breaker before Redis is open, else 0.",
    });
    this.operations = registry.histogram({
      name: "cache_redis_operation_duration_seconds",
      help: "How long Redis took to answer, or its caller to give up.",
      labels: ["operation"],
      buckets: OPERATION_BUCKETS,
    });
  }

  ofEntries(cache: string): EntriesInstruments {
    const counters = <R extends string>(name: string, help: string, results: readonly R[]) => {
      const family = this.#registry.counter({ name, help, labels: ["cache", "result"] });
      return Object.fromEntries(results.map((result) => [result, family.with({ cache, result })])) as Record<
        R,
        Counter
      >;
    };
    const counter = (name: string, help: string) =>
      this.#registry.counter({ name, help, labels: ["cache"] }).with({ cache });
    return {
      requests: counters("cache_requests_total", "Entries asked for, by where the answer came from.", [
        "near_hit",
        "redis_hit",
        "miss",
        "shared",
        "bypass",
      ]),
      refreshes: counters("cache_refreshes_total", "Entries loaded anew before they expired, by how that ended.", [
        "ok",
        "elsewhere",
        "outdated",
        "failed",
      ]),
      leaseWaits: counter("cache_lease_waits_total", "Reads that waited for a load of another process."),
      invalidations: counters("cache_invalidations_total", "Keys invalidated, by whether Redis could be told.", [
        "ok",
        "failed",
      ]),
      decodeFailures: counter("cache_decode_failures_total", "Entries in Redis that could not be read."),
      encodeFailures: counter("cache_encode_failures_total", "Entries that could not be written for Redis."),
      loadDuration: this.#registry
        .histogram({ name: "cache_load_duration_seconds", help: "How long loads took.", labels: ["cache"] })
        .with({ cache }),
    };
  }
}
