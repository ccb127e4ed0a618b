import { type Context, orDone, rootContext, sleep } from "../context/index.ts";
import { AppError, hasCode, isOutcomeUnknown } from "../errors/index.ts";
import type { DriverResult } from "./driver-client.ts";
import type { Instruments } from "./instruments.ts";
import type { Session } from "./session.ts";
import type { SessionPool } from "./session-pool.ts";
import { type Statement, sql } from "./sql.ts";
import { isForgotten, isStalePlan, sqlstateOf } from "./sqlstate.ts";
import type { Send, StatementRunner } from "./statement-runner.ts";
import { COMMIT, type Opening, OpenTransaction, PLAIN_BEGIN, type Transaction } from "./transaction.ts";

const MAX_ATTEMPTS = 4;
/** The first wait before another attempt is up to this long, each further one up to twice as long. */
const RETRY_BASE_MS = 25;
const ROLLBACK_TIMEOUT_MS = 1000;
/** How much longer than its caller's deadline a commit may take: its outcome is worth more than punctuality. */
const COMMIT_GRACE_MS = 1000;
/** What is left for the way back when the server itself stops a statement at its caller's deadline. */
const DEADLINE_MARGIN_MS = 50;

const QUERY_CANCELED = "57014";
const CONNECTION_ENDED = /^(08|57P|25P0[34])/;
const RETRYABLE: readonly (string | undefined)[] = ["40001", "40P01"];

export interface TransactionOptions {
  /** By default the server's, which is `read committed` unless somebody changed it. */
  readonly isolation?: "read committed" | "repeatable read" | "serializable";
}

export interface TransactorDependencies {
  readonly pool: SessionPool;
  readonly runner: StatementRunner;
  readonly instruments: Instruments;
  readonly statementTimeoutMs: number;
}

const BEGIN = {
  "as the server says": PLAIN_BEGIN,
  "read committed": sql`begin isolation level read committed`,
  "repeatable read": sql`begin isolation level repeatable read`,
  serializable: sql`begin isolation level serializable`,
} as const;

type Work<T> = (tx: Transaction) => Promise<T>;
type Outcome<T> = { readonly value: T } | { readonly thrown: unknown; readonly retryable: boolean };

/** Runs transactions: begins, commits or rolls back, and does the work again when the server asks for that. */
export class Transactor {
  readonly #deps: TransactorDependencies;

  constructor(deps: TransactorDependencies) {
    this.#deps = deps;
  }

  async run<T>(ctx: Context, work: Work<T>, options: TransactionOptions): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#attempt(ctx, work, options);
      if ("value" in outcome) return outcome.value;
      const delayMs = Math.random() * RETRY_BASE_MS * 2 ** (attempt - 1);
      if (!outcome.retryable || attempt === MAX_ATTEMPTS || ctx.remainingMs() <= delayMs) throw outcome.thrown;
      this.#deps.instruments.retry();
      await sleep(ctx, delayMs);
    }
  }

  async #attempt<T>(ctx: Context, work: Work<T>, options: TransactionOptions): Promise<Outcome<T>> {
    const { pool, runner, instruments } = this.#deps;
    const session = await pool.acquire(ctx);
    const tx = new OpenTransaction(session, runner, this.#opening(ctx, options));
    let value: T;
    try {
      value = await work(tx);
      await this.#conclude(ctx, session, await tx.finish(ctx));
    } catch (thrown) {
      tx.close();
      await this.#abandon(ctx, session, tx);
      instruments.transaction(isOutcomeUnknown(thrown) ? "unknown" : "rolled_back");
      return { thrown, retryable: isRetryable(tx.failure ?? thrown) };
    }
    pool.release(session);
    instruments.transaction("committed");
    await tx.announce(ctx);
    return { value };
  }

  /** What goes before the first statement, in its round trip. */
  #opening(ctx: Context, { isolation }: TransactionOptions): Opening {
    return {
      begin: BEGIN[isolation ?? "as the server says"],
      limits: limitOnServer(ctx, this.#deps.statementTimeoutMs),
    };
  }

  /** Runs what is left; a caller that leaves meanwhile does not keep us from learning what became of it. */
  async #conclude(ctx: Context, session: Session, last: readonly Statement[]): Promise<void> {
    if (last.length === 0) return;
    ctx.throwIfDone();
    const limitMs = Math.min(this.#deps.statementTimeoutMs, ctx.remainingMs()) + COMMIT_GRACE_MS;
    const send: Send<readonly DriverResult[]> = (queries) => session.conclude(ctx, queries, limitMs);
    const results = await this.#deps.runner.run(last, send).catch((thrown) => {
      if (sqlstateOf(thrown) === QUERY_CANCELED) ctx.throwIfDone();
      if (isRolledBack(thrown)) throw thrown;
      // Without a time to come back at: who tries again may do it twice.
      throw new AppError("unavailable", "it is not known whether the change was saved", {
        cause: thrown,
        fields: { outcome: "unknown" },
      });
    });
    if (last.at(-1) === COMMIT && results.at(-1)?.command !== "COMMIT")
      throw new AppError("internal", "the transaction was over before its commit");
  }

  /** Rolls back and gives the session back. A caller that is gone does not wait for it. */
  async #abandon(ctx: Context, session: Session, { hasBegun }: OpenTransaction): Promise<void> {
    const abandoned = this.#rollback(ctx, session, hasBegun);
    await orDone(ctx, abandoned).catch(() => {});
  }

  async #rollback(ctx: Context, session: Session, hasBegun: boolean): Promise<void> {
    try {
      if (hasBegun && (await session.settled()))
        await session.run(rootContext(ctx.log), { text: "rollback" }, ROLLBACK_TIMEOUT_MS);
    } catch {
      session.destroy();
    }
    this.#deps.pool.release(session);
  }
}

/**
 * What has the server itself stop the statements of a transaction at their caller's deadline, when that comes before its
 * own limit: we may not be able to tell it to any more.
 */
export function limitOnServer(ctx: Context, statementTimeoutMs: number): readonly Statement[] {
  const leftMs = Math.floor(ctx.remainingMs() - DEADLINE_MARGIN_MS);
  if (leftMs >= statementTimeoutMs) return [];
  return [sql`select set_config('statement_timeout', ${String(Math.max(1, leftMs))}, true)`];
}

/** Tells whether the last statements certainly had no effect: the server said so, or they were never sent to it. */
function isRolledBack(thrown: unknown): boolean {
  const sqlstate = sqlstateOf(thrown);
  return sqlstate === undefined ? hasCode(thrown, "invalid") : !CONNECTION_ENDED.test(sqlstate);
}

function isRetryable(thrown: unknown): boolean {
  return RETRYABLE.includes(sqlstateOf(thrown)) || isStalePlan(thrown) || isForgotten(thrown);
}
