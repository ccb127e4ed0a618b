import type { Context } from "../context/index.ts";

/** Wakes the one who waits for it; a ring that nobody waited for is kept for whoever waits next. */
export class Bell {
  #wake: (() => void) | undefined;
  #hasRung = false;

  ring(): void {
    if (this.#wake === undefined) this.#hasRung = true;
    else this.#wake();
  }

  /** Waits for a ring, at most `ms` milliseconds. Throws the context's reason when that ends first. */
  async next(ctx: Context, ms: number): Promise<void> {
    ctx.throwIfDone();
    if (!this.#hasRung && ms > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        const off = ctx.onDone(() => this.#wake?.());
        this.#wake = () => {
          clearTimeout(timer);
          off();
          resolve();
        };
      });
      this.#wake = undefined;
      ctx.throwIfDone();
    }
    this.#hasRung = false;
  }
}
