import type { Context } from "parapet/context";
import { emailKey, emailTaken, type User, userNotFound } from "../../model/user.ts";
import type { UserRange, UserRepository } from "../../model/user-repository.ts";

/** Keeps users in this process: for tests. Each method is one synchronous step, and so as atomic as a transaction. */
export class MemoryUserRepository implements UserRepository {
  readonly #users = new Map<string, User>();

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

  async delete(ctx: Context, id: string, check: (user: User) => void): Promise<void> {
    ctx.throwIfDone();
    check(this.#find(id));
    this.#users.delete(id);
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
