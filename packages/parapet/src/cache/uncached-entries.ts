import type { Context } from "../context/index.ts";
import type { Entries } from "./entries.ts";

/** What a cache that keeps nothing has: every read is a load. */
export class UncachedEntries<T> implements Entries<T> {
  get(ctx: Context, _key: string, load: (ctx: Context) => Promise<T>): Promise<T> {
    return load(ctx);
  }

  async invalidate(): Promise<void> {}
}
