import type { Context } from "parapet/context";
import type { Once } from "parapet/contract";
import { MemoryOnceTransactions } from "parapet/idempotency";
import { emailKey, emailTaken, type User, userNotFound } from "../../model/user.ts";
import type { UserRange, UserReader, UserRepository } from "../../model/user-repository.ts";
import type { UserFact, UserStore, UserTransaction } from "../../model/user-store.ts";

/** Keeps users in this process: for tests. One transaction runs at a time. */
export class MemoryUserStore implements UserStore {
  /** What the committed transactions announced, oldest first. */
  readonly facts: UserFact[] = [];
  readonly #users = new MemoryUserRepository();
  readonly #transactions = new MemoryOnceTransactions();

  get users(): UserReader {
    return this.#users;
  }

  async transaction<T>(ctx: Context, work: (tx: UserTransaction) => Promise<T>, once?: Once<T>): Promise<T> {
    const facts: UserFact[] = [];
    const result = await this.#transactions.run(ctx, {
      work: () => work({ users: this.#users, announce: (fact) => facts.push(fact) }),
      remember: () => this.#users.remember(),
      once,
    });
    this.facts.push(...facts);
    return result;
  }
}

class MemoryUserRepository implements UserRepository {
  #users = new Map<string, User>();

  /** Gives what makes all as it is now. */
  remember(): () => void {
    const before = new Map(this.#users);
    return () => {
      this.#users = before;
    };
  }

  async list(ctx: Context, { after = "", limit }: UserRange): Promise<User[]> {
    ctx.throwIfDone();
    const ids = [...this.#users.keys()].filter((id) => id > after).sort();
    return ids.slice(0, limit).map((id) => this.#find(id));
  }

  async get(ctx: Context, id: string): Promise<User> {
    ctx.throwIfDone();
    return this.#find(id);
  }

  async create(ctx: Context, user: User): Promise<void> {
    ctx.throwIfDone();
    this.#save(user);
  }

  async update(ctx: Context, id: string, change: (user: User) => User): Promise<User> {
    ctx.throwIfDone();
    const changed = change(this.#find(id));
    this.#save(changed);
    return changed;
  }

  async delete(ctx: Context, id: string, check: (user: User) => void): Promise<User> {
    ctx.throwIfDone();
    const user = this.#find(id);
    check(user);
    this.#users.delete(id);
    return user;
  }

  #find(id: string): User {
    const user = this.#users.get(id);
    if (user === undefined) throw userNotFound();
    return user;
  }

  #save(user: User): void {
    const key = emailKey(user.email);
    for (const other of this.#users.values()) {
      if (other.id !== user.id && emailKey(other.email) === key) throw emailTaken();
    }
    this.#users.set(user.id, user);
  }
}
