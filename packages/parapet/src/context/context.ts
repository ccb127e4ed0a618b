import { AppError } from "../errors/index.ts";
import type { LogFields, Logger } from "../log/index.ts";
import { COARSE_FROM_MS, callAtOrSoonAfter } from "./coarse-timer.ts";
import { Listeners } from "./listeners.ts";

/** Takes a listener off again. */
export type Unsubscribe = () => void;

/**
 * Says when to stop and where to report, and nothing else. It is the first parameter of everything that waits; it is
 * never stored in a field and never mutated, only derived by scoped callbacks (`withTimeout`, `withCancel`, `group`).
 */
export interface Context {
  readonly log: Logger;
  /** When to stop, in milliseconds on `performance.now()`'s monotonic clock; `Infinity` when nothing set a limit. */
  readonly deadline: number;
  /** Aborts with an `AppError` (`canceled` or `timeout`) when this context is done. Made on first use: it is not cheap. */
  readonly signal: AbortSignal;
  /** Why this context is done, as an `AppError` (`canceled` or `timeout`), or undefined while it is not. */
  readonly done: AppError | undefined;
  /** Milliseconds left until the deadline, at least 0; `Infinity` when nothing set a limit. */
  remainingMs(): number;
  /** Throws why this context is done (`canceled`, `timeout`), if it is. */
  throwIfDone(): void;
  /** Calls back once, when this context is done; at once when it is already. Cheaper than `signal`. */
  onDone(listener: (reason: AppError) => void): Unsubscribe;
  /** The same limits, with these fields on every line it logs. */
  withFields(fields: LogFields): Context;
}

// Node's timers hold at most a signed 32-bit number of milliseconds and fire at once beyond it.
export const MAX_TIMER_MS = 2 ** 31 - 1;

const WORK_IS_OVER = new AppError("canceled", "the work this context belonged to is over");

interface ContextOptions {
  /** Fields for every line that it logs. */
  readonly fields?: LogFields;
  /** In milliseconds on `performance.now()`'s clock; the parent's applies when it is earlier. */
  readonly deadline?: number;
}

/** A context with an end of its own: the root, and every one that `withTimeout`, `withCancel` and `group` derive. */
export class CancelableContext implements Context {
  readonly deadline: number;
  readonly #parent: Context | undefined;
  readonly #source: { readonly log: Logger };
  readonly #fields: LogFields | undefined;
  #log: Logger | undefined;
  #done: AppError | undefined;
  #listeners: Listeners<AppError> | undefined;
  #disarm: Unsubscribe | undefined;
  #offParent: Unsubscribe | undefined;
  #controller: AbortController | undefined;

  /** Throws `internal` when the deadline is not a number. */
  constructor(options: ContextOptions & ({ readonly parent: Context } | { readonly log: Logger })) {
    this.#parent = "parent" in options ? options.parent : undefined;
    this.#source = "parent" in options ? options.parent : options;
    this.#fields = options.fields;
    const own = options.deadline ?? Number.POSITIVE_INFINITY;
    if (Number.isNaN(own)) throw new AppError("internal", "the deadline of a context must be a number");
    this.deadline = Math.min(own, this.#parent?.deadline ?? Number.POSITIVE_INFINITY);
  }

  get log(): Logger {
    // Made on first use: most contexts never log.
    this.#log ??= childOf(this.#source.log, this.#fields);
    return this.#log;
  }

  get done(): AppError | undefined {
    if (this.#done === undefined) {
      const inherited = this.#parent?.done;
      if (inherited !== undefined) this.cancel(inherited);
      else if (performance.now() >= this.deadline) this.cancel(new AppError("timeout", "the deadline passed"));
    }
    return this.#done;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      this.#controller = controller;
      this.onDone((reason) => controller.abort(reason));
    }
    return this.#controller.signal;
  }

  remainingMs(): number {
    return Math.max(0, this.deadline - performance.now());
  }

  throwIfDone(): void {
    const reason = this.done;
    if (reason !== undefined) throw reason;
  }

  onDone(listener: (reason: AppError) => void): Unsubscribe {
    const reason = this.done;
    if (reason !== undefined) {
      listener(reason);
      return () => {};
    }
    this.#listeners ??= new Listeners();
    const listeners = this.#listeners;
    const isFirst = listeners.isEmpty;
    const remove = listeners.add(listener);
    if (isFirst) this.#watch();
    return () => {
      // Nobody listens any more: let go of the timer and of the parent, so that nothing outlives its scope.
      if (remove() && this.#listeners?.isEmpty === true) this.#unwatch();
    };
  }

  withFields(fields: LogFields): Context {
    return new FieldsContext(this, fields);
  }

  /** Ends this context and all derived from it. The first reason stands. */
  cancel(reason: AppError): void {
    if (this.#done !== undefined) return;
    this.#done = reason;
    const listeners = this.#listeners;
    this.#unwatch();
    listeners?.callEach((listener) => notify(listener, reason));
  }

  #watch(): void {
    const inherited = this.#parent?.deadline ?? Number.POSITIVE_INFINITY;
    this.#offParent = this.#parent?.onDone((reason) => this.cancel(reason));
    // The parent may have come to its end just now, and this context with it.
    if (this.#done === undefined && this.deadline < inherited) this.#armTimer();
  }

  #armTimer(): void {
    const waitMs = Math.min(Math.ceil(this.remainingMs()), MAX_TIMER_MS);
    const check = (): void => {
      // Timers may be early, and longer than they can be is possible too.
      if (this.done === undefined && this.#listeners !== undefined) this.#armTimer();
    };
    if (waitMs >= COARSE_FROM_MS && waitMs < MAX_TIMER_MS) {
      this.#disarm = callAtOrSoonAfter(this.deadline, check);
      return;
    }
    const timer = setTimeout(check, waitMs);
    this.#disarm = () => clearTimeout(timer);
  }

  #unwatch(): void {
    this.#disarm?.();
    this.#offParent?.();
    this.#disarm = undefined;
    this.#offParent = undefined;
    this.#listeners = undefined;
  }
}

/** Another context with more on its log lines: its end, and its signal, are those of the other. */
class FieldsContext implements Context {
  readonly deadline: number;
  readonly #parent: Context;
  readonly #fields: LogFields;
  #log: Logger | undefined;

  constructor(parent: Context, fields: LogFields) {
    this.deadline = parent.deadline;
    this.#parent = parent;
    this.#fields = fields;
  }

  get log(): Logger {
    this.#log ??= this.#parent.log.child(this.#fields);
    return this.#log;
  }

  get done(): AppError | undefined {
    return this.#parent.done;
  }

  get signal(): AbortSignal {
    return this.#parent.signal;
  }

  remainingMs(): number {
    return this.#parent.remainingMs();
  }

  throwIfDone(): void {
    this.#parent.throwIfDone();
  }

  onDone(listener: (reason: AppError) => void): Unsubscribe {
    return this.#parent.onDone(listener);
  }

  withFields(fields: LogFields): Context {
    return new FieldsContext(this, fields);
  }
}

function childOf(log: Logger, fields: LogFields | undefined): Logger {
  return fields === undefined ? log : log.child(fields);
}

function notify(listener: (reason: AppError) => void, reason: AppError): void {
  try {
    listener(reason);
  } catch (thrown) {
    // A bug in one listener must not keep the others from hearing; it surfaces as an uncaught exception.
    queueMicrotask(() => {
      throw thrown;
    });
  }
}

/** The root of a context tree: no deadline, ends only when canceled. For `run`, doors and tests; everything else derives. */
export function rootContext(log: Logger): CancelableContext {
  return new CancelableContext({ log });
}

/**
 * Runs `work` under a context that ends after at most `timeoutMs` milliseconds (`timeout`), never later than its parent,
 * and in any case when `work` is over. It does not abandon `work`: `work` stops because it heeds its context.
 */
export async function withTimeout<T>(ctx: Context, timeoutMs: number, work: (ctx: Context) => Promise<T>): Promise<T> {
  return scoped(new CancelableContext({ parent: ctx, deadline: performance.now() + timeoutMs }), work);
}

/** Runs `work` under a context that it can end early through `cancel`. */
export async function withCancel<T>(
  ctx: Context,
  work: (ctx: Context, cancel: (reason: AppError) => void) => Promise<T>,
): Promise<T> {
  const derived = new CancelableContext({ parent: ctx });
  return scoped(derived, (inner) => work(inner, (reason) => derived.cancel(reason)));
}

async function scoped<T>(ctx: CancelableContext, work: (ctx: Context) => Promise<T>): Promise<T> {
  try {
    ctx.throwIfDone();
    return await work(ctx);
  } finally {
    ctx.cancel(WORK_IS_OVER);
  }
}
