import { type Context, rootContext } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import { Batch } from "./batch.ts";
import { Cancellation, type CancellationOptions } from "./cancellation.ts";
import type { DriverClient, DriverQuery, DriverResult } from "./driver-client.ts";
import type { FailoverWatch } from "./failover-watch.ts";
import { databaseError, endsSession, isForgotten, isReadOnly, sqlstateOf } from "./sqlstate.ts";

/** How long a session may take to become idle before its connection is cut. */
const SETTLE_MS = 1000;

export interface SessionOptions {
  /** The longest that one statement may take, in milliseconds, whatever its context says. */
  readonly limitMs: number;
  readonly onCancel: (passedOn: boolean) => void;
  readonly failover?: FailoverWatch;
}

type Send<T> = (done: (error: Error | undefined, result: T) => void) => void;

/**
 * One connection to the server. It runs one statement at a time, each under its own context: a caller whose context
 * ends hears so at once, while the session cancels the statement on the server and stays busy until the server has
 * answered and no cancel is on its way. A server that does not answer is cut off.
 */
export class Session {
  /** On `performance.now()`'s clock. */
  readonly openedAt = performance.now();
  readonly #client: DriverClient;
  readonly #limitMs: number;
  readonly #cancellation: CancellationOptions;
  readonly #failover: FailoverWatch | undefined;
  #busy = false;
  /** The cancel of what runs. */
  #canceling: Cancellation | undefined;
  #onIdle: (() => void)[] = [];
  #lostBecause: Error | undefined;
  #spent = false;

  constructor(client: DriverClient, { limitMs, onCancel, failover }: SessionOptions) {
    this.#client = client;
    this.#limitMs = limitMs;
    this.#failover = failover;
    this.#cancellation = { onCancel, cut: () => this.destroy() };
    client.on("error", (error) => {
      this.#lostBecause ??= error;
    });
    client.once("end", () => {
      this.#lostBecause ??= new Error("the connection is closed");
    });
  }

  /** The server's process, as it was told at the login; null when it was not. */
  get processId(): number | null {
    return this.#client.processID;
  }

  /** Calls `listener` when the connection is gone, with why. */
  onLost(listener: (error: Error) => void): void {
    const lost = () => listener(this.#lostBecause ?? new Error("the connection is closed"));
    if (this.#lostBecause === undefined) this.#client.once("end", lost);
    else lost();
  }

  /** Calls `heard` for each notification that the server sends. */
  onNotification(heard: () => void): void {
    this.#client.on("notification", heard);
  }

  /** Nothing runs and nothing is wrong: another caller may have it. */
  get idle(): boolean {
    return !this.#busy && this.#usable;
  }

  /**
   * Runs one statement. Throws the context's reason when that ends first (`canceled`, `timeout`), or what `databaseError`
   * makes of the server's answer; `internal` while another one runs.
   */
  run(ctx: Context, query: DriverQuery, limitMs?: number): Promise<DriverResult> {
    return this.#exchange<DriverResult>(ctx, (done) => this.#client.query(query, done), limitMs);
  }

  /** Runs several statements in one round trip; the server stops at the first that fails. Throws as `run` does. */
  runAll(ctx: Context, queries: readonly DriverQuery[], limitMs?: number): Promise<readonly DriverResult[]> {
    const send: Send<readonly DriverResult[]> = (done) => this.#client.query(new Batch(queries, done));
    return this.#exchange(ctx, send, limitMs);
  }

  /**
   * Runs the last statements of a transaction. A context that ends has them canceled, too, but what counts is what the server
   * says: they may have been committed by then. Throws as `run` does, and never the context's reason.
   */
  async conclude(ctx: Context, queries: readonly DriverQuery[], limitMs: number): Promise<readonly DriverResult[]> {
    const concluded = this.runAll(rootContext(ctx.log), queries, limitMs);
    const off = ctx.onDone(() => this.#cancel());
    return concluded.finally(off);
  }

  /** Runs several statements at once, separated by semicolons; they give nothing back. Throws as `run` does. */
  async script(ctx: Context, text: string, limitMs?: number): Promise<void> {
    await this.run(ctx, { text }, limitMs);
  }

  /** Waits until the session is idle, cuts it off when that takes longer than a second; tells whether it can be used again. */
  async settled(): Promise<boolean> {
    if (this.#busy) await this.#becomesIdle();
    return this.#usable;
  }

  /** Cuts the connection; whatever runs fails as `unavailable`. */
  destroy(): void {
    this.#lostBecause ??= new Error("the connection was cut");
    this.#client.connection.stream.destroy();
  }

  /** Ends the session within two seconds; the server then rolls back what is open and frees its locks. */
  async close(): Promise<void> {
    if (!(await this.settled())) return this.destroy();
    const timer = setTimeout(() => this.destroy(), SETTLE_MS);
    await this.#client.end();
    clearTimeout(timer);
  }

  get #usable(): boolean {
    return this.#lostBecause === undefined && !this.#spent;
  }

  async #exchange<T>(ctx: Context, send: Send<T>, limitMs = this.#limitMs): Promise<T> {
    if (this.#busy) throw new AppError("internal", "a session runs one statement at a time");
    ctx.throwIfDone();
    try {
      return await this.#answer(ctx, send, limitMs);
    } catch (thrown) {
      if (thrown instanceof AppError) throw thrown;
      // Which of its statements the server has forgotten, nobody can tell.
      this.#spent ||= endsSession(sqlstateOf(thrown)) || isForgotten(thrown);
      if (isReadOnly(thrown)) this.#failover?.refused();
      // When the connection was lost, what the server said last tells more than that it is gone.
      throw databaseError(this.#lostBecause ?? thrown, "in session");
    }
  }

  #answer<T>(ctx: Context, send: Send<T>, limitMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      let isStopped = false;
      const stop = (reason: AppError) => {
        isStopped = true;
        reject(reason);
        this.#cancel();
      };
      const off = ctx.onDone(stop);
      // Its end may have come between the check and here.
      if (isStopped) return;
      const timer = setTimeout(() => stop(new AppError("timeout", "the database took too long")), limitMs);
      const answered = () => {
        off();
        clearTimeout(timer);
        if (this.#canceling === undefined) this.#idle();
        else void this.#canceling.answered().then(() => this.#idle());
      };
      this.#busy = true;
      send((error, result) => {
        if (error) {
          this.#whenReady(answered);
          return reject(error);
        }
        // Before the caller goes on, so that it can give the session back at once.
        answered();
        resolve(result);
      });
    });
  }

  /** The driver tells of an error before the server is ready for the next statement, unlike of a result. */
  #whenReady(listener: () => void): void {
    if (this.#lostBecause !== undefined) {
      listener();
      return;
    }
    const once = () => {
      this.#client.off("drain", once);
      this.#client.off("end", once);
      listener();
    };
    this.#client.once("drain", once);
    this.#client.once("end", once);
  }

  #becomesIdle(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.destroy(), SETTLE_MS);
      this.#onIdle.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #cancel(): void {
    if (this.#busy) this.#canceling ??= new Cancellation(this.#client, this.#cancellation);
  }

  #idle(): void {
    this.#busy = false;
    this.#canceling = undefined;
    for (const listener of this.#onIdle.splice(0)) listener();
  }
}
