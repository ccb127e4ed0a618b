import { type CancelableContext, type Context, rootContext } from "../context/index.ts";
import { AppError, hasCode } from "../errors/index.ts";
import type { Logger } from "../log/index.ts";
import type { RowStatement } from "./sql.ts";

/** How many keys one statement asks for at most: beyond, the merging saves nothing any more. */
const MAX_KEYS = 200;

/** What rows are found by: as the server writes it, a UUID in lower case. */
export type LoaderKey = string | number | bigint;

export interface LoaderOptions<Key extends LoaderKey, Row> {
  /** Makes the statement for several keys: ``(ids) => sql(UserRow)`select … from users where id = any(${ids})` ``. */
  readonly select: (keys: readonly Key[]) => RowStatement<Row>;
  /** The key that a row belongs to. */
  readonly key: (row: Row) => Key;
}

/** Reads single rows by their key. */
export interface Loader<Key extends LoaderKey, Row> {
  /** The row, or undefined when there is none. Throws as `Queryable.query` does, each caller for its own key. */
  load(ctx: Context, key: Key): Promise<Row | undefined>;
}

export interface LoaderDependencies {
  readonly query: <Row>(ctx: Context, statement: RowStatement<Row>) => Promise<readonly Row[]>;
  readonly log: Logger;
  readonly onBatch: (keys: number) => void;
}

interface Waiter<Row> {
  hasLeft: boolean;
  resolve(row: Row | undefined): void;
  reject(thrown: unknown): void;
}

/** The reads of one turn, and how many of their callers still wait. */
interface Gathering<Key, Row> {
  readonly ctx: CancelableContext;
  readonly waiters: Map<Key, Waiter<Row>[]>;
  waiting: number;
}

/**
 * Merges the point reads that arrive within one turn of the event loop, from whatever requests, into one statement. Each
 * caller keeps its deadline; when all have left the statement ends. (The idea of Facebook's DataLoader, across requests and
 * without its cache.)
 */
export class TurnLoader<Key extends LoaderKey, Row> implements Loader<Key, Row> {
  readonly #options: LoaderOptions<Key, Row>;
  readonly #deps: LoaderDependencies;
  #gathering: Gathering<Key, Row> | undefined;

  constructor(options: LoaderOptions<Key, Row>, deps: LoaderDependencies) {
    this.#options = options;
    this.#deps = deps;
  }

  async load(ctx: Context, key: Key): Promise<Row | undefined> {
    ctx.throwIfDone();
    return new Promise((resolve, reject) => this.#join(ctx, key, resolve, reject));
  }

  #join(ctx: Context, key: Key, resolve: Waiter<Row>["resolve"], reject: Waiter<Row>["reject"]): void {
    const gathering = this.#gather();
    const waiter: Waiter<Row> = { hasLeft: false, resolve, reject };
    gathering.waiting++;
    const others = gathering.waiters.get(key);
    if (others === undefined) gathering.waiters.set(key, [waiter]);
    else others.push(waiter);
    const off = ctx.onDone((reason) => {
      waiter.hasLeft = true;
      reject(reason);
      this.#left(gathering);
    });
    waiter.resolve = (row) => {
      off();
      resolve(row);
    };
    waiter.reject = (thrown) => {
      off();
      reject(thrown);
    };
    if (gathering.waiters.size >= MAX_KEYS) this.#flush(gathering);
  }

  #gather(): Gathering<Key, Row> {
    if (this.#gathering === undefined) {
      const gathering = { ctx: rootContext(this.#deps.log), waiters: new Map(), waiting: 0 };
      this.#gathering = gathering;
      // The requests of this turn have all been read then.
      setImmediate(() => this.#flush(gathering));
    }
    return this.#gathering;
  }

  #left(gathering: Gathering<Key, Row>): void {
    if (--gathering.waiting > 0) return;
    // Who comes later in this turn is not to find it ended.
    if (this.#gathering === gathering) this.#gathering = undefined;
    gathering.ctx.cancel(new AppError("canceled", "nobody waits for this any more"));
  }

  #flush(gathering: Gathering<Key, Row>): void {
    if (this.#gathering !== gathering) return;
    this.#gathering = undefined;
    const { ctx, waiters } = gathering;
    for (const [key, some] of waiters) if (some.every(({ hasLeft }) => hasLeft)) waiters.delete(key);
    void this.#load(ctx, waiters);
  }

  async #load(ctx: Context, waiters: Gathering<Key, Row>["waiters"]): Promise<void> {
    const { query, onBatch } = this.#deps;
    onBatch(waiters.size);
    try {
      // No one caller's deadline is the statement's: those of its connection bound it.
      const rows = await query(ctx, this.#options.select([...waiters.keys()]));
      const byKey = new Map(rows.map((row) => [this.#options.key(row), row]));
      for (const [key, some] of waiters) for (const { resolve } of some) resolve(byKey.get(key));
    } catch (thrown) {
      // One key that does not fit its column fails them all: whose it is shows when each is asked for alone.
      if (waiters.size > 1 && hasCode(thrown, "invalid")) {
        for (const entry of waiters) void this.#load(ctx, new Map([entry]));
      } else {
        for (const some of waiters.values()) for (const { reject } of some) reject(thrown);
      }
    }
  }
}
