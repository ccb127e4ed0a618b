import type { Context } from "../context/index.ts";
import type { DriverResult } from "./driver-client.ts";
import type { Instruments, PoolStats } from "./instruments.ts";
import { affected, type Queryable, rowsOf } from "./queryable.ts";
import type { Session } from "./session.ts";
import { SessionPool, type SessionPoolOptions } from "./session-pool.ts";
import type { RowStatement, Statement } from "./sql.ts";
import { againOnStalePlan, type StatementRunner } from "./statement-runner.ts";
import type { Transaction } from "./transaction.ts";
import { limitOnServer, type TransactionOptions, Transactor } from "./transactor.ts";

/** How long after its own limit the server has to say that it was passed, before we do something about it. */
const ANSWER_GRACE_MS = 1000;

export interface CheckedOutOptions extends Omit<SessionPoolOptions, "limitMs" | "onCancel"> {
  readonly runner: StatementRunner;
  readonly instruments: Instruments;
}

/** Runs each statement, and each transaction, on a session that nobody else has meanwhile. */
export class CheckedOut implements Queryable {
  readonly #options: CheckedOutOptions;
  readonly #pool: SessionPool;
  readonly #transactor: Transactor;

  constructor(options: CheckedOutOptions) {
    this.#options = options;
    const { instruments, statementTimeoutMs } = options;
    this.#pool = new SessionPool({
      ...options,
      limitMs: statementTimeoutMs + ANSWER_GRACE_MS,
      onCancel: (passedOn) => instruments.cancel(passedOn),
    });
    this.#transactor = new Transactor({ ...options, pool: this.#pool });
  }

  get stats(): PoolStats {
    return this.#pool.stats;
  }

  async query<Row>(ctx: Context, statement: RowStatement<Row>): Promise<readonly Row[]> {
    return rowsOf(statement, await this.run(ctx, statement));
  }

  async execute(ctx: Context, statement: Statement): Promise<number> {
    return affected(await this.run(ctx, statement));
  }

  transaction<T>(ctx: Context, work: (tx: Transaction) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    return this.#transactor.run(ctx, work, options);
  }

  /** Gives `work` a session. */
  async withSession<T>(ctx: Context, work: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.#pool.acquire(ctx);
    try {
      return await work(session);
    } finally {
      this.#pool.release(session);
    }
  }

  /** Has whatever comes next run on sessions that are opened from now on. */
  renew(): void {
    this.#pool.renew();
  }

  /** Ends the sessions, within two seconds; gives how many of them it had to cut. */
  end(ctx: Context): Promise<number> {
    return this.#pool.end(ctx);
  }

  /** The result of one statement; throws as `query` does. */
  run(ctx: Context, statement: Statement): Promise<DriverResult | undefined> {
    const { runner, statementTimeoutMs } = this.#options;
    return againOnStalePlan(() =>
      this.withSession(ctx, async (session) => {
        // Under one Sync, and so in one transaction: the limit ends with it.
        const limit = limitOnServer(ctx, statementTimeoutMs);
        const results = await runner.run([...limit, statement], (queries) => session.runAll(ctx, queries));
        return results.at(-1);
      }),
    );
  }
}
