/** Lets what has the same key go one after the other, in the order of its coming; what has another key does not wait. */
export class KeyTurns {
  readonly #last = new Map<string, Promise<void>>();

  /** Runs `work` when all that came before it under this key is over. An empty key is no key. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    if (key === "") return work();
    const before = this.#last.get(key);
    const running = before === undefined ? work() : before.then(work);
    const over = running.then(
      () => {},
      () => {},
    );
    this.#last.set(key, over);
    try {
      return await running;
    } finally {
      if (this.#last.get(key) === over) this.#last.delete(key);
    }
  }
}
