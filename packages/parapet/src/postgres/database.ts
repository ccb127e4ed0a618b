import type { Context } from "../context/index.ts";
import type { Aborted, Component, Readiness } from "../lifecycle/index.ts";
import type { Logger } from "../log/index.ts";
import { metrics as processMetrics, type Registry } from "../metrics/index.ts";
import { DEFAULT_POOL_MAX, DEFAULT_STATEMENT_TIMEOUT_MS } from "./config.ts";
import type { DriverResult } from "./driver-client.ts";
import { instrumentsOf } from "./instruments.ts";
import { migrate } from "./migrate.ts";
import type { Migrations } from "./migrations.ts";
import { affected, type Queryable, rowsOf } from "./queryable.ts";
import { ReadinessWatch } from "./readiness-watch.ts";
import { appliedMigrations, schemaProblem, schemaState } from "./schema-state.ts";
import { SessionPool } from "./session-pool.ts";
import type { RowStatement, Statement } from "./sql.ts";
import { isStalePlan } from "./sqlstate.ts";
import { StatementRunner } from "./statement-runner.ts";
import type { Transaction } from "./transaction.ts";
import { type TransactionOptions, Transactor } from "./transactor.ts";

export interface DatabaseOptions {
  readonly log: Logger;
  /** The schema that this build needs: readiness waits for it, and the `migrate` command makes it. */
  readonly migrations?: Migrations;
  /** Where to count; the process-wide registry by default. */
  readonly metrics?: Registry;
  /** How the sessions name themselves to the server (`application_name`). */
  readonly service?: string;
  /** The most connections, 10 by default; ten times as many callers may wait for one. */
  readonly poolMax?: number;
  /** The longest that one statement may take, in milliseconds, 5000 by default; a context can only shorten it. */
  readonly statementTimeoutMs?: number;
}

export interface Database extends Component, Readiness, Queryable {
  /**
   * Runs `work` in a transaction: commits when it returns, rolls back when it throws. `work` runs again, up to four times in
   * all, when the server reports a serialization failure or a deadlock, so it must do nothing outside of the transaction
   * but through `afterCommit`. `unavailable` with the field `outcome: "unknown"` when the connection was lost during the commit.
   */
  transaction<T>(ctx: Context, work: (tx: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>;
}

/** A PostgreSQL database, 14 or newer. Makes no connection before `start` or the first statement. */
export function createDatabase(url: string, options: DatabaseOptions): Database {
  return new PostgresDatabase(url, options);
}

/** How long after its own limit the server has to say that it was passed, before we do something about it. */
const ANSWER_GRACE_MS = 1000;
const LOCK_TIMEOUT_MS = 2000;
/** The longest that a route may take. */
const TRANSACTION_TIMEOUT_MS = 30_000;

class PostgresDatabase implements Database {
  readonly name = "database";
  readonly commands: Readonly<Record<string, (ctx: Context) => Promise<void>>>;
  readonly #migrations: Migrations | undefined;
  readonly #pool: SessionPool;
  readonly #runner: StatementRunner;
  readonly #transactor: Transactor;
  readonly #readiness: ReadinessWatch;
  readonly #unwatchPool: () => void;

  constructor(url: string, options: DatabaseOptions) {
    const { log, migrations, metrics = processMetrics, service = "parapet" } = options;
    const { poolMax = DEFAULT_POOL_MAX, statementTimeoutMs = DEFAULT_STATEMENT_TIMEOUT_MS } = options;
    const instruments = instrumentsOf(metrics);
    this.#migrations = migrations;
    this.#pool = new SessionPool({
      url,
      service,
      log,
      max: poolMax,
      statementTimeoutMs,
      lockTimeoutMs: LOCK_TIMEOUT_MS,
      transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
      limitMs: statementTimeoutMs + ANSWER_GRACE_MS,
      onCancel: (passedOn) => instruments.cancel(passedOn),
    });
    this.#runner = new StatementRunner(instruments);
    this.#transactor = new Transactor({ pool: this.#pool, runner: this.#runner, instruments, statementTimeoutMs });
    this.#readiness = new ReadinessWatch(log, (ctx) => this.#notReadyBecause(ctx));
    this.#unwatchPool = instruments.watchPool(() => this.#pool.stats);
    this.commands = migrations === undefined ? {} : { migrate: (ctx) => migrate(ctx, url, service, migrations) };
  }

  async start(): Promise<void> {
    this.#readiness.start();
  }

  async stop(ctx: Context): Promise<Aborted> {
    this.#readiness.stop();
    const tx = await this.#pool.end(ctx);
    this.#unwatchPool();
    return { tx };
  }

  notReadyBecause(): string | undefined {
    return this.#readiness.because;
  }

  async query<Row>(ctx: Context, statement: RowStatement<Row>): Promise<readonly Row[]> {
    return rowsOf(statement, await this.#run(ctx, statement));
  }

  async execute(ctx: Context, statement: Statement): Promise<number> {
    return affected(await this.#run(ctx, statement));
  }

  transaction<T>(ctx: Context, work: (tx: Transaction) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    return this.#transactor.run(ctx, work, options);
  }

  async #run(ctx: Context, statement: Statement): Promise<DriverResult> {
    try {
      return await this.#runOnce(ctx, statement);
    } catch (thrown) {
      // The server refused the plan before it did anything, and the statement goes by another name now.
      if (isStalePlan(thrown)) return this.#runOnce(ctx, statement);
      throw thrown;
    }
  }

  async #runOnce(ctx: Context, statement: Statement): Promise<DriverResult> {
    const session = await this.#pool.acquire(ctx);
    try {
      return await this.#runner.run(ctx, session, statement);
    } finally {
      this.#pool.release(session);
    }
  }

  async #notReadyBecause(ctx: Context): Promise<string | undefined> {
    const session = await this.#pool.acquire(ctx);
    try {
      if (this.#migrations === undefined) return undefined;
      return schemaProblem(schemaState(this.#migrations, await appliedMigrations(ctx, session)));
    } finally {
      this.#pool.release(session);
    }
  }
}
