import type { Context } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import type { DriverResult } from "./driver-client.ts";
import { affected, type Queryable, rowsOf } from "./queryable.ts";
import type { Session } from "./session.ts";
import { type RowStatement, type Statement, sql } from "./sql.ts";
import type { Send, StatementRunner } from "./statement-runner.ts";

type BeforeCommit = (ctx: Context) => Promise<void>;
type AfterCommit = (ctx: Context) => Promise<void> | void;

/** The rows of several statements, in their order. */
export type RowsOf<S extends readonly RowStatement<unknown>[]> = {
  readonly [K in keyof S]: S[K] extends RowStatement<infer Row> ? readonly Row[] : never;
};

/** An open transaction. After a statement failed, all further ones throw that failure again. */
export interface Transaction extends Queryable {
  /** Runs several statements in one round trip and gives the rows of each; the first that fails is the last that runs. */
  queryAll<const S extends readonly RowStatement<unknown>[]>(ctx: Context, statements: S): Promise<RowsOf<S>>;
  /**
   * Runs a statement for its effect without a round trip of its own, before whatever is run next or, at the latest, with the
   * commit; what it throws is thrown there. A transaction that runs nothing else is one round trip.
   */
  executeSoon(statement: Statement): void;
  /** Runs a statement in the round trip of the commit, behind all others, in the order of the calls; what fails there rolls back. */
  executeAtCommit(statement: Statement): void;
  /** Runs a hook inside the transaction after its work, in the order of the calls; what it throws rolls back. */
  beforeCommit(hook: BeforeCommit): void;
  /** Runs a hook once the commit is certain, its connection given back; what it throws is logged and fails nothing. */
  afterCommit(hook: AfterCommit): void;
}

/** Begins as the server is set to. */
export const PLAIN_BEGIN = sql`begin`;
export const COMMIT = sql`commit`;

/** What goes before the first statement of a transaction, in its round trip. */
export interface Opening {
  readonly begin: Statement;
  readonly limits: readonly Statement[];
}

// Others may ask for a transaction block in so many words, as LOCK and SAVEPOINT do.
const NEEDS_NO_BLOCK = /^\s*(insert|update|delete|select|with)\b/i;

function needsNoBlock({ site }: Statement): boolean {
  return NEEDS_NO_BLOCK.test(site.text);
}

/** The state of one attempt: which statement's turn it is, what failed, and what is to happen around the commit. */
export class OpenTransaction implements Transaction {
  readonly #session: Session;
  readonly #runner: StatementRunner;
  readonly #beforeCommit: BeforeCommit[] = [];
  readonly #atCommit: Statement[] = [];
  #soon: Statement[] = [];
  readonly #afterCommit: AfterCommit[] = [];
  readonly #opening: Opening;
  #hasBegun = false;
  #turn: Promise<unknown> = Promise.resolve();
  #failure: { readonly thrown: unknown } | undefined;
  #over = false;

  constructor(session: Session, runner: StatementRunner, opening: Opening) {
    this.#session = session;
    this.#runner = runner;
    this.#opening = opening;
  }

  /** What the first statement that failed threw. */
  get failure(): unknown {
    return this.#failure?.thrown;
  }

  /** Tells whether the server has been told to begin. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  async query<Row>(ctx: Context, statement: RowStatement<Row>): Promise<readonly Row[]> {
    const [result] = await this.#run(ctx, [statement]);
    return rowsOf(statement, result);
  }

  async execute(ctx: Context, statement: Statement): Promise<number> {
    const [result] = await this.#run(ctx, [statement]);
    return affected(result);
  }

  async queryAll<const S extends readonly RowStatement<unknown>[]>(ctx: Context, statements: S): Promise<RowsOf<S>> {
    const results = await this.#run(ctx, statements);
    return statements.map((statement, at) => rowsOf(statement, results[at])) as RowsOf<S>;
  }

  beforeCommit(hook: BeforeCommit): void {
    this.#throwIfOver();
    this.#beforeCommit.push(hook);
  }

  executeSoon(statement: Statement): void {
    this.#throwIfOver();
    this.#soon.push(statement);
  }

  executeAtCommit(statement: Statement): void {
    this.#throwIfOver();
    this.#atCommit.push(statement);
  }

  afterCommit(hook: AfterCommit): void {
    this.#throwIfOver();
    this.#afterCommit.push(hook);
  }

  /**
   * Runs the hooks before the commit and takes no further statement; throws the failure if there was one. Gives what is
   * left to be run, the commit included; nothing when nothing was done.
   */
  async finish(ctx: Context): Promise<readonly Statement[]> {
    for (const hook of this.#beforeCommit) await hook(ctx);
    await this.#turn;
    this.close();
    if (this.#failure !== undefined) throw this.#failure.thrown;
    const last = [...this.#soon, ...this.#atCommit];
    if (this.#hasBegun) return [...last, COMMIT];
    if (last.length === 0) return [];
    // Under one Sync they are a transaction by themselves.
    if (this.#opening.begin === PLAIN_BEGIN && last.every(needsNoBlock)) return [...this.#opening.limits, ...last];
    return [...this.#begin(), ...last, COMMIT];
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

  #run(ctx: Context, statements: readonly Statement[]): Promise<readonly DriverResult[]> {
    const results = this.#turn.then(() => this.#runNow(ctx, statements));
    this.#turn = results.catch(() => {});
    return results;
  }

  // Checked when it is these statements' turn: the transaction may have failed or ended while they waited.
  async #runNow(ctx: Context, statements: readonly Statement[]): Promise<readonly DriverResult[]> {
    if (this.#failure !== undefined) throw this.#failure.thrown;
    this.#throwIfOver();
    try {
      const before = [...this.#begin(), ...this.#takeSoon()];
      const send: Send<readonly DriverResult[]> = (queries) => this.#session.runAll(ctx, queries);
      const results = await this.#runner.run([...before, ...statements], send);
      return results.slice(before.length);
    } catch (thrown) {
      this.#failure = { thrown };
      throw thrown;
    }
  }

  #begin(): readonly Statement[] {
    if (this.#hasBegun) return [];
    this.#hasBegun = true;
    return [this.#opening.begin, ...this.#opening.limits];
  }

  #takeSoon(): readonly Statement[] {
    const soon = this.#soon;
    this.#soon = [];
    return soon;
  }

  #throwIfOver(): void {
    if (this.#over) throw new AppError("internal", "the transaction is over");
  }
}
