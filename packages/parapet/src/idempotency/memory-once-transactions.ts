import type { Context } from "../context/index.ts";
import type { Once } from "../contract/index.ts";

interface Kept {
  readonly fingerprint: string;
  readonly reply: string;
}

/**
 * What `OnceTransactions` does with a database, within the process and one after the other: for the memory stores of tests. What is claimed is kept as long as
 * the process lives.
 */
export class MemoryOnceTransactions {
  readonly #kept = new Map<string, Kept>();
  #turn: Promise<unknown> = Promise.resolve();

  /**
   * Runs `work` when those before it are over, and keeps what it gives under its claim; unwinds to the door when it has been run. `remember` is
   * called before, and what it gives when `work` throws: it makes all as it was.
   */
  run<T>(ctx: Context, { work, remember, once }: MemoryTransaction<T>): Promise<T> {
    const done = this.#turn.then(() => this.#transact(ctx, { work, remember, once }));
    this.#turn = done.catch(() => {});
    return done;
  }

  async #transact<T>(ctx: Context, { work, remember, once }: MemoryTransaction<T>): Promise<T> {
    ctx.throwIfDone();
    const claim = once?.take();
    const fingerprint = claim?.kind === "request" ? claim.fingerprint : "";
    const name = JSON.stringify({ ...claim, fingerprint: undefined });
    const kept = claim && this.#kept.get(name);
    if (kept !== undefined && kept.fingerprint !== fingerprint) once?.refuseMismatch();
    if (kept !== undefined) once?.replay(kept.reply);
    const restore = remember();
    const result = await work().catch((thrown) => {
      restore();
      throw thrown;
    });
    if (once && claim) this.#kept.set(name, { fingerprint, reply: once.encode(result) });
    return result;
  }
}

export interface MemoryTransaction<T> {
  readonly work: () => Promise<T>;
  readonly remember: () => () => void;
  readonly once: Once<T> | undefined;
}
