import { toAppError } from "../errors/index.ts";
import type { Counter, Histogram, Labeled, Registry } from "../metrics/index.ts";

/** How many connections a pool has, how many of them nobody uses, and how many callers wait for one. */
export interface PoolStats {
  readonly total: number;
  readonly idle: number;
  readonly waiting: number;
}

type TransactionResult = "committed" | "rolled_back" | "unknown";

const byRegistry = new WeakMap<Registry, Instruments>();

/** The instruments of this room in a registry: made once, and shared by all databases of the process. */
export function instrumentsOf(registry: Registry): Instruments {
  let instruments = byRegistry.get(registry);
  if (instruments === undefined) {
    instruments = new Instruments(registry);
    byRegistry.set(registry, instruments);
  }
  return instruments;
}

export class Instruments {
  readonly #pools = new Set<() => PoolStats>();
  readonly #queries: Labeled<"result", Counter>;
  readonly #queryDuration: Histogram;
  readonly #transactions: Labeled<"result", Counter>;
  readonly #retries: Counter;
  readonly #cancels: Labeled<"result", Counter>;

  constructor(registry: Registry) {
    this.#queries = registry.counter({
      name: "postgres_queries_total",
      help: "Statements that were run, by ok or the code of the error.",
      labels: ["result"],
    });
    this.#queryDuration = registry.histogram({
      name: "postgres_query_duration_seconds",
      help: "How long statements took on their connection.",
    });
    this.#transactions = registry.counter({
      name: "postgres_transactions_total",
      help: "Transactions, by how they ended; unknown when the connection was lost during the commit.",
      labels: ["result"],
    });
    this.#retries = registry.counter({
      name: "postgres_transaction_retries_total",
      help: "Transactions that were run again after a serialization failure or a deadlock.",
    });
    this.#cancels = registry.counter({
      name: "postgres_cancels_total",
      help: "Cancel requests sent to the server, by whether it took them.",
      labels: ["result"],
    });
    this.#registerPools(registry);
  }

  /** Counts a pool in the gauges until the returned function is called. */
  watchPool(stats: () => PoolStats): () => void {
    this.#pools.add(stats);
    return () => this.#pools.delete(stats);
  }

  /** Counts and times a statement. */
  async query<T>(run: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    let result = "ok";
    try {
      return await run();
    } catch (thrown) {
      result = toAppError(thrown).code;
      throw thrown;
    } finally {
      this.#queryDuration.observe((performance.now() - startedAt) / 1000);
      this.#queries.with({ result }).inc();
    }
  }

  transaction(result: TransactionResult): void {
    this.#transactions.with({ result }).inc();
  }

  retry(): void {
    this.#retries.inc();
  }

  cancel(passedOn: boolean): void {
    this.#cancels.with({ result: passedOn ? "ok" : "failed" }).inc();
  }

  #registerPools(registry: Registry): void {
    const gauge = (name: string, help: string, value: (stats: PoolStats) => number) =>
      registry.gauge({ name, help, read: () => [...this.#pools].reduce((sum, stats) => sum + value(stats()), 0) });
    gauge("postgres_pool_connections", "Open database connections.", ({ total }) => total);
    gauge("postgres_pool_idle_connections", "Open database connections that nobody uses.", ({ idle }) => idle);
    gauge("postgres_pool_waiting", "Callers that wait for a database connection.", ({ waiting }) => waiting);
  }
}
