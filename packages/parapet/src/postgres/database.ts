import type { Context } from "../context/index.ts";
import type { Aborted, Component, Readiness } from "../lifecycle/index.ts";
import type { Logger } from "../log/index.ts";
import { metrics as processMetrics, type Registry } from "../metrics/index.ts";
import { type Bulkhead, createBulkhead } from "../resilience/index.ts";
import { CheckedOut } from "./checked-out.ts";
import { DEFAULT_POOL_MAX, DEFAULT_STATEMENT_TIMEOUT_MS } from "./config.ts";
import type { DriverQuery, DriverResult } from "./driver-client.ts";
import { FailoverWatch } from "./failover-watch.ts";
import { type Instruments, instrumentsOf } from "./instruments.ts";
import { Lanes } from "./lanes.ts";
import { type Loader, type LoaderKey, type LoaderOptions, TurnLoader } from "./loader.ts";
import { migrate } from "./migrate.ts";
import type { Migrations } from "./migrations.ts";
import { openSession } from "./open-session.ts";
import { type OwnConnection, OwnSession } from "./own-connection.ts";
import { isShared, SHARED_SESSIONS } from "./pooler.ts";
import { affected, type Queryable, rowsOf } from "./queryable.ts";
import { ReadinessWatch } from "./readiness-watch.ts";
import { appliedMigrations, schemaProblem, schemaState } from "./schema-state.ts";
import type { Session } from "./session.ts";
import type { RowStatement, Statement, StatementSite } from "./sql.ts";
import { isForgotten, isLockedOut } from "./sqlstate.ts";
import { againOnStalePlan, StatementRunner } from "./statement-runner.ts";
import type { Transaction } from "./transaction.ts";
import type { TransactionOptions } from "./transactor.ts";

export interface DatabaseOptions {
  readonly log: Logger;
  /** The schema that this build needs: readiness waits for it, and the `migrate` command makes it. */
  readonly migrations?: Migrations;
  /** Where to count; the process-wide registry by default. */
  readonly metrics?: Registry;
  /** How the sessions name themselves to the server (`application_name`). */
  readonly service?: string;
  /**
   * The most connections for transactions and slow statements, 10 by default; ten times as many callers may wait for one.
   * Two more carry the short statements, and up to two the background work.
   */
  readonly poolMax?: number;
  /** The longest that one statement may take, in milliseconds, 5000 by default; a context can only shorten it. */
  readonly statementTimeoutMs?: number;
}

/** Runs transactions. */
export interface Transactional {
  /**
   * Runs `work` in a transaction: commits when it returns, rolls back when it throws. `work` runs again, up to four times in
   * all, when the server reports a serialization failure or a deadlock, so it must do nothing outside of the transaction
   * but through `afterCommit`. `unavailable` with the field `outcome: "unknown"` when the connection was lost during the commit.
   */
  transaction<T>(ctx: Context, work: (tx: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>;
}

/**
 * Its own `query` and `execute` are for short statements: they share a few connections, may take a second at most, and go on
 * on the server when their caller leaves.
 */
export interface Database extends Component, Readiness, Queryable, Transactional {
  /** For statements that may take longer: each has a connection for itself, and is canceled when its caller leaves. */
  readonly slow: Queryable;
  /** For what no request waits for: two connections apart, so that neither starves the other. */
  readonly background: Queryable & Transactional;
  /** Opens a connection of the caller's own, outside of all pools; `close` it. Throws `unavailable`. */
  connect(ctx: Context): Promise<OwnConnection>;
  /** Merges point reads of concurrent requests into one statement; made once, in a constructor, and not for transactions. */
  loader<Key extends LoaderKey, Row>(options: LoaderOptions<Key, Row>): Loader<Key, Row>;
}

/** A PostgreSQL database, 14 or newer. Makes no connection before `start` or the first statement. */
export function createDatabase(url: string, options: DatabaseOptions): Database {
  return new PostgresDatabase(url, options);
}

const LOCK_TIMEOUT_MS = 2000;
/** The longest that a route may take. */
const TRANSACTION_TIMEOUT_MS = 30_000;

/** How long a statement that met a lock goes by a connection of its own. */
const DETOUR_MS = 1000;
/** The part of the connections that such statements may have. */
const DETOUR_SHARE = 1 / 3;
/** How many more of them may wait for each of those, and how long. */
const DETOUR_WAITERS = 10;
const DETOUR_WAIT_MS = 1000;
/** Readiness, migrations' state, cleaning and relaying take turns on these. */
const BACKGROUND_MAX = 2;

class PostgresDatabase implements Database {
  readonly name = "database";
  readonly commands: Readonly<Record<string, (ctx: Context) => Promise<void>>>;
  readonly slow: Queryable;
  readonly background: CheckedOut;
  readonly #log: Logger;
  readonly #migrations: Migrations | undefined;
  readonly #instruments: Instruments;
  readonly #lanes: Lanes;
  readonly #runner: StatementRunner;
  readonly #foreground: CheckedOut;
  readonly #detours: Bulkhead;
  /** Statements that met a lock, and until when they go by a connection of their own. */
  readonly #lockedOut = new Map<StatementSite, number>();
  /** Connections that callers have for themselves. */
  readonly #owned = new Set<OwnSession>();
  readonly #readiness: ReadinessWatch;
  readonly #unwatch: () => void;
  readonly #openAnother: (ctx: Context) => Promise<Session>;

  constructor(url: string, options: DatabaseOptions) {
    const { log, migrations, metrics = processMetrics, service = "parapet" } = options;
    const { poolMax = DEFAULT_POOL_MAX, statementTimeoutMs = DEFAULT_STATEMENT_TIMEOUT_MS } = options;
    const limits = { statementTimeoutMs, lockTimeoutMs: LOCK_TIMEOUT_MS, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS };
    const failover = new FailoverWatch(() => this.#renew());
    const connection = { ...limits, url, service, log, failover };
    this.#log = log;
    this.#migrations = migrations;
    this.#instruments = instrumentsOf(metrics);
    this.#runner = new StatementRunner(this.#instruments);
    this.#lanes = new Lanes(connection);
    this.#openAnother = (ctx) =>
      openSession(ctx, url, { ...connection, limitMs: statementTimeoutMs, onCancel: () => {} });
    const checkedOut = (max: number) =>
      new CheckedOut({ ...connection, max, runner: this.#runner, instruments: this.#instruments });
    this.#foreground = checkedOut(poolMax);
    const limit = Math.ceil(poolMax * DETOUR_SHARE);
    const queue = limit * DETOUR_WAITERS;
    this.#detours = createBulkhead({ name: "database", limit, queue, maxWaitMs: DETOUR_WAIT_MS });
    this.slow = this.#foreground;
    this.background = checkedOut(BACKGROUND_MAX);
    this.#readiness = new ReadinessWatch(log, (ctx) => this.#notReadyBecause(ctx));
    const pools = [this.#foreground, this.background];
    this.#unwatch = this.#instruments.watch({
      pools: () => pools.map(({ stats }) => stats),
      lanes: () => this.#lanes.stats,
    });
    this.commands = migrations === undefined ? {} : { migrate: (ctx) => migrate(ctx, url, service, migrations) };
  }

  async start(): Promise<void> {
    this.#readiness.start();
  }

  async stop(ctx: Context): Promise<Aborted> {
    this.#readiness.stop();
    const [tx, background] = await Promise.all([
      this.#foreground.end(ctx),
      this.background.end(ctx),
      this.#lanes.close(),
    ]);
    this.#unwatch();
    return { tx: tx + background };
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

  transaction<T>(ctx: Context, work: (tx: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T> {
    return this.#foreground.transaction(ctx, work, options);
  }

  async connect(ctx: Context): Promise<OwnConnection> {
    const own = new OwnSession(await this.#openAnother(ctx), this.#runner);
    this.#owned.add(own);
    void own.lost.then(() => this.#owned.delete(own));
    return own;
  }

  loader<Key extends LoaderKey, Row>(options: LoaderOptions<Key, Row>): Loader<Key, Row> {
    return new TurnLoader(options, {
      query: (ctx, statement) => this.query(ctx, statement),
      log: this.#log,
      onBatch: (keys) => this.#instruments.batch(keys),
    });
  }

  async #run(ctx: Context, statement: Statement): Promise<DriverResult | undefined> {
    try {
      return await againOnStalePlan(() => this.#runShort(ctx, statement));
    } catch (thrown) {
      // A statement is forgotten when the one before it, which was to prepare it for both, failed.
      if (isForgotten(thrown)) return this.#detour(ctx, statement);
      throw thrown;
    }
  }

  async #runShort(ctx: Context, statement: Statement): Promise<DriverResult | undefined> {
    const { site } = statement;
    if (this.#isLockedOut(site)) return this.#detour(ctx, statement);
    try {
      const result = await this.#runner.run([statement], ([query]) => this.#lanes.run(ctx, query as DriverQuery));
      this.#lockedOut.delete(site);
      return result;
    } catch (thrown) {
      if (!isLockedOut(thrown)) throw thrown;
      this.#lockedOut.set(site, performance.now() + DETOUR_MS);
      return this.#detour(ctx, statement);
    }
  }

  /** Runs what did nothing yet on a connection of its own, where it holds up nobody; not on all of them, which others need. */
  #detour(ctx: Context, statement: Statement): Promise<DriverResult | undefined> {
    return this.#detours.run(ctx, (ctx) => this.#foreground.run(ctx, statement));
  }

  /** Tells whether a statement met a lock of late, and so had better not be sent before those of others. */
  #isLockedOut(site: StatementSite): boolean {
    const until = this.#lockedOut.get(site);
    if (until === undefined) return false;
    const now = performance.now();
    if (now < until) return true;
    // The first to come finds out whether the lock is gone; its like wait for what it finds.
    this.#lockedOut.set(site, now + DETOUR_MS);
    return false;
  }

  /** The old connections may lead to a server that is read-only and falls behind. */
  #renew(): void {
    this.#log.warn("the database has another primary: its connections are made anew");
    this.#lanes.renew();
    this.#foreground.renew();
    this.background.renew();
    // Their owners hear of it, and open others.
    for (const own of this.#owned) void own.close();
  }

  async #notReadyBecause(ctx: Context): Promise<string | undefined> {
    const because = await this.background.withSession(ctx, (session) => this.#problemOf(ctx, session));
    // So that the first requests find the connections that they share.
    if (because === undefined) await this.#lanes.warmUp(ctx);
    return because;
  }

  async #problemOf(ctx: Context, session: Session): Promise<string | undefined> {
    if (await isShared(ctx, session, () => this.#openAnother(ctx))) return SHARED_SESSIONS;
    const migrations = this.#migrations;
    return migrations && schemaProblem(schemaState(migrations, await appliedMigrations(ctx, session)));
  }
}
