import { type Context, orDone } from "../../context/index.ts";

/** Something that is there at times, one after the other, and can be waited for. */
export class Current<T extends object> {
  readonly #waiting = new Set<(value: T) => void>();
  #value: T | undefined;

  get value(): T | undefined {
    return this.#value;
  }

  set(value: T): void {
    this.#value = value;
    for (const resolve of this.#waiting) resolve(value);
    this.#waiting.clear();
  }

  clear(): void {
    this.#value = undefined;
  }

  /** The one that is there, or else the next one. Throws the context's reason when that ends first. */
  async next(ctx: Context): Promise<T> {
    if (this.#value !== undefined) return this.#value;
    let resolve: (value: T) => void = () => {};
    const next = new Promise<T>((settle) => {
      resolve = settle;
    });
    this.#waiting.add(resolve);
    try {
      return await orDone(ctx, next);
    } finally {
      this.#waiting.delete(resolve);
    }
  }
}
