import { type CancelableContext, type Context, rootContext, sleep, withTimeout } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import type { Logger } from "../log/index.ts";

const CHECK_TIMEOUT_MS = 3000;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2000;

/** Says why the database can't be used yet, or undefined when it can; throws when it can't be reached. */
export type ReadinessCheck = (ctx: Context) => Promise<string | undefined>;

/**
 * Looks at the database until it was ready once, and never after: readiness latches. The waits between two looks grow to
 * two seconds, jittered. Logs when the answer changes, not at each look.
 */
export class ReadinessWatch {
  readonly #check: ReadinessCheck;
  readonly #ctx: CancelableContext;
  #because: string | undefined = "the database was not looked at yet";

  constructor(log: Logger, check: ReadinessCheck) {
    this.#check = check;
    this.#ctx = rootContext(log);
  }

  /** Why it is not ready yet, for people; undefined once it is. */
  get because(): string | undefined {
    return this.#because;
  }

  start(): void {
    // It ends with an error only when it is stopped.
    this.#watch(this.#ctx).catch(() => {});
  }

  stop(): void {
    this.#ctx.cancel(new AppError("canceled", "the database is being closed"));
  }

  async #watch(ctx: Context): Promise<void> {
    for (let longestMs = FIRST_WAIT_MS; ; longestMs = Math.min(2 * longestMs, LONGEST_WAIT_MS)) {
      const { because, error } = await this.#look(ctx);
      ctx.throwIfDone();
      if (because === undefined) {
        this.#because = undefined;
        return ctx.log.info("the database is ready");
      }
      if (because !== this.#because)
        ctx.log.warn("the database is not ready", { because, ...(error === undefined ? {} : { error }) });
      this.#because = because;
      await sleep(ctx, longestMs * (0.5 + Math.random() / 2));
    }
  }

  async #look(ctx: Context): Promise<{ readonly because: string | undefined; readonly error?: unknown }> {
    try {
      return { because: await withTimeout(ctx, CHECK_TIMEOUT_MS, this.#check) };
    } catch (error) {
      return { because: "the database can't be reached", error };
    }
  }
}
