import { toAppError } from "../errors/index.ts";
import { type Counter, type Histogram, type Labeled, perRegistry, type Registry } from "../metrics/index.ts";

/** How many connections a pool has, how many of them nobody uses, and how many callers wait for one. */
export interface PoolStats {
  readonly total: number;
  readonly idle: number;
  readonly waiting: number;
}

/** How many of the connections that short statements share are open, and how many statements are under way there. */
export interface LaneStats {
  readonly open: number;
  readonly inFlight: number;
}

/** Where a database's connections are counted. */
export interface Connections {
  readonly pools: () => readonly PoolStats[];
  readonly lanes: () => LaneStats;
}

type TransactionResult = "committed" | "rolled_back" | "unknown";

/** The instruments of this room in a registry: made once, and shared by all databases of the process. */
export const instrumentsOf: (registry: Registry) => Instruments = perRegistry((registry) => new Instruments(registry));

export class Instruments {
  readonly #watched = new Set<Connections>();
  readonly #queries: Labeled<"result", Counter>;
  readonly #queryDuration: Histogram;
  readonly #transactions: Labeled<"result", Counter>;
  readonly #retries: Counter;
  readonly #cancels: Labeled<"result", Counter>;
  readonly #batchKeys: Histogram;

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
    this.#batchKeys = registry.histogram({
      name: "postgres_batch_keys",
      help: "How many point reads were merged into one statement.",
      buckets: [1, 2, 5, 10, 20, 50, 100, 200],
    });
    this.#registerConnections(registry);
  }

  /** Counts a database's connections in the gauges until the returned function is called. */
  watch(connections: Connections): () => void {
    this.#watched.add(connections);
    return () => this.#watched.delete(connections);
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

  /** Counts a statement into which the reads of so many keys were merged. */
  batch(keys: number): void {
    this.#batchKeys.observe(keys);
  }

  #registerConnections(registry: Registry): void {
    const gauge = (name: string, help: string, value: (connections: Connections) => number) =>
      registry.gauge({ name, help, read: () => [...this.#watched].reduce((sum, of) => sum + value(of), 0) });
    const pools = (name: string, help: string, value: (stats: PoolStats) => number) =>
      gauge(name, help, (of) => of.pools().reduce((sum, stats) => sum + value(stats), 0));
    pools(
      "postgres_pool_connections",
      "Open database connections for what is checked out, in use or idle.",
      ({ total }) => total,
    );
    pools("postgres_pool_idle_connections", "Those of them that nobody uses.", ({ idle }) => idle);
    pools("postgres_pool_waiting", "Callers that wait for a database connection.", ({ waiting }) => waiting);
    gauge(
      "postgres_lane_connections",
      "Open database connections that short statements share.",
      (of) => of.lanes().open,
    );
    gauge("postgres_lane_in_flight", "Short statements under way, or waiting to be.", (of) => of.lanes().inFlight);
  }
}
