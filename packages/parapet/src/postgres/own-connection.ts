import type { Context } from "../context/index.ts";
import type { AppError } from "../errors/index.ts";
import type { DriverResult } from "./driver-client.ts";
import { affected, type Queryable, rowsOf } from "./queryable.ts";
import type { Session } from "./session.ts";
import type { RowStatement, Statement } from "./sql.ts";
import { databaseError } from "./sqlstate.ts";
import { againOnStalePlan, type StatementRunner } from "./statement-runner.ts";

/**
 * A connection that its caller has until it closes it, for what belongs to a session: advisory locks, LISTEN. Statements run one after
 * the other, in the order of their calls.
 */
export interface OwnConnection extends Queryable {
  /** Settles when the connection is gone, with why: also when it led to a server that is the primary no longer. */
  readonly lost: Promise<AppError>;
  /** Calls `heard` for each notification of a channel that the session listens to. */
  onNotification(heard: () => void): void;
  /** Ends the session, within two seconds; the server frees its locks. */
  close(): Promise<void>;
}

/** A session as its owner sees it. */
export class OwnSession implements OwnConnection {
  readonly lost: Promise<AppError>;
  readonly #session: Session;
  readonly #runner: StatementRunner;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(session: Session, runner: StatementRunner) {
    this.#session = session;
    this.#runner = runner;
    this.lost = new Promise((resolve) => session.onLost((error) => resolve(databaseError(error, "in session"))));
  }

  async query<Row>(ctx: Context, statement: RowStatement<Row>): Promise<readonly Row[]> {
    return rowsOf(statement, await this.#run(ctx, statement));
  }

  async execute(ctx: Context, statement: Statement): Promise<number> {
    return affected(await this.#run(ctx, statement));
  }

  onNotification(heard: () => void): void {
    this.#session.onNotification(heard);
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  #run(ctx: Context, statement: Statement): Promise<DriverResult | undefined> {
    const result = this.#turn.then(() => againOnStalePlan(() => this.#runNow(ctx, statement)));
    this.#turn = result.catch(() => {});
    return result;
  }

  async #runNow(ctx: Context, statement: Statement): Promise<DriverResult | undefined> {
    // One that was canceled is free only when the server has answered.
    await this.#session.settled();
    const [result] = await this.#runner.run([statement], (queries) => this.#session.runAll(ctx, queries));
    return result;
  }
}
