import type { Context, Unsubscribe } from "../context/index.ts";
import { AppError } from "../errors/index.ts";

const TICK_MS = 25;

interface Waiting {
  ticksLeft: number;
  readonly giveUp: (reason: AppError) => void;
}

/**
 * Limits how long answers are waited for. It counts ticks of 25 ms, so that the time in which the process itself was too busy
 * to send or to read does not count against who answers; one timer does for all.
 */
export class AnswerClock {
  readonly #waiting = new Set<Waiting>();
  #timer: NodeJS.Timeout | undefined;

  /** Waits for an answer for at most `timeoutMs`, to the tick (`timeout`), and no longer than the context lasts. */
  answerOf<T>(ctx: Context, timeoutMs: number, answer: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let off: Unsubscribe | undefined;
      const leave = () => {
        off?.();
        this.#remove(waiting);
      };
      const giveUp = (reason: AppError) => {
        leave();
        reject(reason);
      };
      const waiting: Waiting = { ticksLeft: Math.ceil(timeoutMs / TICK_MS), giveUp };
      this.#add(waiting);
      off = ctx.onDone(giveUp);
      answer.then(resolve, reject).finally(leave);
    });
  }

  #add(waiting: Waiting): void {
    this.#waiting.add(waiting);
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
  }

  #remove(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    for (const waiting of this.#waiting) {
      waiting.ticksLeft--;
      // Timers go before sockets: an answer that is there is read in between.
      if (waiting.ticksLeft === 0) setImmediate(waiting.giveUp, new AppError("timeout", "redis took too long"));
    }
  }
}
