import type { Context } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import type { DriverResult } from "./driver-client.ts";
import { affected, type Queryable, rowsOf } from "./queryable.ts";
import type { Session } from "./session.ts";
import type { RowStatement, Statement } from "./sql.ts";
import type { StatementRunner } from "./statement-runner.ts";

type BeforeCommit = (ctx: Context) => Promise<void>;
type AfterCommit = (ctx: Context) => Promise<void> | void;

/** An open transaction. After a statement failed, all further ones throw that failure again. */
export interface Transaction extends Queryable {
  /** Runs a hook inside the transaction after its work, in the order of the calls; what it throws rolls back. */
  beforeCommit(hook: BeforeCommit): void;
  /** Runs a hook once the commit is certain, its connection given back; what it throws is logged and fails nothing. */
  afterCommit(hook: AfterCommit): void;
}

/** The state of one attempt: which statement's turn it is, what failed, and what is to happen around the commit. */
export class OpenTransaction implements Transaction {
  readonly #session: Session;
  readonly #runner: StatementRunner;
  readonly #beforeCommit: BeforeCommit[] = [];
  readonly #afterCommit: AfterCommit[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #failure: { readonly thrown: unknown } | undefined;
  #over = false;

  constructor(session: Session, runner: StatementRunner) {
    this.#session = session;
    this.#runner = runner;
  }

  /** What the first statement that failed threw. */
  get failure(): unknown {
    return this.#failure?.thrown;
  }

  async query<Row>(ctx: Context, statement: RowStatement<Row>): Promise<readonly Row[]> {
    return rowsOf(statement, await this.#run(ctx, statement));
  }

  async execute(ctx: Context, statement: Statement): Promise<number> {
    return affected(await this.#run(ctx, statement));
  }

  beforeCommit(hook: BeforeCommit): void {
    this.#throwIfOver();
    this.#beforeCommit.push(hook);
  }

  afterCommit(hook: AfterCommit): void {
    this.#throwIfOver();
    this.#afterCommit.push(hook);
  }

  /** Runs the hooks before the commit and takes no further statement; throws the failure if there was one. */
  async finish(ctx: Context): Promise<void> {
    for (const hook of this.#beforeCommit) await hook(ctx);
    await this.#turn;
    this.close();
    if (this.#failure !== undefined) throw this.#failure.thrown;
  }

  close(): void {
    this.#over = true;
  }

  /** Runs the hooks after the commit. What one throws must not make the caller believe that nothing was saved. */
  async announce(ctx: Context): Promise<void> {
    for (const hook of this.#afterCommit) {
      try {
        await hook(ctx);
      } catch (thrown) {
        ctx.log.error("a hook after a commit failed", { error: thrown });
      }
    }
  }

  #run(ctx: Context, statement: Statement): Promise<DriverResult> {
    const result = this.#turn.then(() => this.#runNow(ctx, statement));
    this.#turn = result.catch(() => {});
    return result;
  }

  // Checked when it is this statement's turn: the transaction may have failed or ended while it waited.
  async #runNow(ctx: Context, statement: Statement): Promise<DriverResult> {
    if (this.#failure !== undefined) throw this.#failure.thrown;
    this.#throwIfOver();
    try {
      return await this.#runner.run(ctx, this.#session, statement);
    } catch (thrown) {
      this.#failure = { thrown };
      throw thrown;
    }
  }

  #throwIfOver(): void {
    if (this.#over) throw new AppError("internal", "the transaction is over");
  }
}
