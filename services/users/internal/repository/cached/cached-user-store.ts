import type { Cache, Entries } from "parapet/cache";
import type { Context } from "parapet/context";
import type { Once } from "parapet/contract";
import { AppError } from "parapet/errors";
import type { User } from "../../model/user.ts";
import type { UserRange, UserReader } from "../../model/user-repository.ts";
import type { UserFact, UserStore, UserTransaction } from "../../model/user-store.ts";

/** What its entries go by in the cache. */
export const USERS_CACHE = "users";

/** A store whose users are read through a cache, and dropped there after the commit that changes them. */
export class CachedUserStore implements UserStore {
  readonly users: UserReader;
  readonly #store: UserStore;
  readonly #entries: Entries<User>;

  constructor(store: UserStore, cache: Cache) {
    this.#store = store;
    this.#entries = cache.entries<User>({ name: USERS_CACHE, version: 1, encode: JSON.stringify, decode: decodeUser });
    this.users = new CachedUserReader(store.users, this.#entries);
  }

  async transaction<T>(ctx: Context, work: (tx: UserTransaction) => Promise<T>, once?: Once<T>): Promise<T> {
    const changed = new Set<string>();
    const noting = (tx: UserTransaction): UserTransaction => ({
      users: tx.users,
      announce: (fact: UserFact) => {
        if (fact.kind !== "user_created") changed.add(fact.user.id);
        tx.announce(fact);
      },
    });
    try {
      return await this.#store.transaction(ctx, (tx) => work(noting(tx)), once);
    } finally {
      // After a failure too: a commit whose answer was lost may have been one.
      if (changed.size > 0) await this.#entries.invalidate(ctx, [...changed]);
    }
  }
}

class CachedUserReader implements UserReader {
  readonly #users: UserReader;
  readonly #entries: Entries<User>;

  constructor(users: UserReader, entries: Entries<User>) {
    this.#users = users;
    this.#entries = entries;
  }

  list(ctx: Context, range: UserRange): Promise<User[]> {
    return this.#users.list(ctx, range);
  }

  get(ctx: Context, id: string): Promise<User> {
    return this.#entries.get(ctx, id, (ctx) => this.#users.get(ctx, id));
  }
}

type StoredUser = Omit<User, "createdAt" | "updatedAt"> & { readonly createdAt: string; readonly updatedAt: string };

/** Throws for what is no user: another build may have written them otherwise, and the cache tells only damage. */
function decodeUser(text: string): User {
  const { id, name, email, version, ...times }: StoredUser = JSON.parse(text);
  const [createdAt, updatedAt] = [new Date(times.createdAt), new Date(times.updatedAt)];
  const areTexts = [id, name, email, times.createdAt, times.updatedAt].every((one) => typeof one === "string");
  if (!areTexts || !Number.isInteger(version) || Number.isNaN(createdAt.getTime() + updatedAt.getTime()))
    throw new AppError("internal", "what is cached is no user");
  return { id, name, email, version, createdAt, updatedAt };
}
