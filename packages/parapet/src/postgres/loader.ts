import { setImmediate as turn } from "node:timers/promises";
import { type Context, orDone, rootContext } from "../context/index.ts";
import { hasCode } from "../errors/index.ts";
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
  readonly ctx: Context;
  resolve(row: Row | undefined): void;
  reject(thrown: unknown): void;
}

type Waiting<Key, Row> = Map<Key, Waiter<Row>[]>;

/**
 * Merges the point reads that arrive within one turn of the event loop, from whatever requests, into one statement. Each
 * caller keeps its deadline. (The idea of Facebook's DataLoader, across requests and without its cache.)
 */
export class TurnLoader<Key extends LoaderKey, Row> implements Loader<Key, Row> {
  readonly #options: LoaderOptions<Key, Row>;
  readonly #deps: LoaderDependencies;
  #waiting: Waiting<Key, Row> = new Map();

  constructor(options: LoaderOptions<Key, Row>, deps: LoaderDependencies) {
    this.#options = options;
    this.#deps = deps;
  }

  load(ctx: Context, key: Key): Promise<Row | undefined> {
    const answer = new Promise<Row | undefined>((resolve, reject) => this.#wait(key, { ctx, resolve, reject }));
    return orDone(ctx, answer);
  }

  #wait(key: Key, waiter: Waiter<Row>): void {
    if (this.#waiting.size === 0) void this.#flushNextTurn();
    const others = this.#waiting.get(key);
    if (others === undefined) this.#waiting.set(key, [waiter]);
    else others.push(waiter);
    if (this.#waiting.size >= MAX_KEYS) this.#flush();
  }

  async #flushNextTurn(): Promise<void> {
    const waiting = this.#waiting;
    // The requests of this turn have all been read then.
    await turn();
    if (waiting === this.#waiting) this.#flush();
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    for (const [key, waiters] of waiting) if (waiters.every(({ ctx }) => ctx.done !== undefined)) waiting.delete(key);
    if (waiting.size > 0) void this.#load(waiting);
  }

  async #load(waiting: Waiting<Key, Row>): Promise<void> {
    const { query, log, onBatch } = this.#deps;
    onBatch(waiting.size);
    try {
      // No caller's deadline is the statement's: those of its connection bound it.
      const rows = await query(rootContext(log), this.#options.select([...waiting.keys()]));
      const byKey = new Map(rows.map((row) => [this.#options.key(row), row]));
      for (const [key, waiters] of waiting) for (const { resolve } of waiters) resolve(byKey.get(key));
    } catch (thrown) {
      // One key that does not fit its column fails them all: whose it is shows when each is asked for alone.
      if (waiting.size > 1 && hasCode(thrown, "invalid"))
        for (const entry of waiting) void this.#load(new Map([entry]));
      else for (const waiters of waiting.values()) for (const { reject } of waiters) reject(thrown);
    }
  }
}
