import { type CancelableContext, type Context, rootContext } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import type { Logger } from "../log/index.ts";

/** Work that no caller waits for, under a context that ends when the cache is closed. */
export class Background {
  readonly #root: CancelableContext;

  constructor(log: Logger) {
    this.#root = rootContext(log);
  }

  run(work: (ctx: Context) => Promise<void>): void {
    work(this.#root).catch((error: unknown) => {
      if (this.#root.done === undefined) this.#root.log.warn("the cache failed at work nobody waits for", { error });
    });
  }

  stop(): void {
    this.#root.cancel(new AppError("canceled", "the cache is being closed"));
  }
}
