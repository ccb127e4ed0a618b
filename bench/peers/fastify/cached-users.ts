import type { Redis } from "ioredis";
import type { User, Users } from "./user.ts";

const TTL_SECONDS = 300;

/** Reads users through Redis, which is never needed for an answer. */
export class CachedUsers implements Users {
  readonly #users: Users;
  readonly #redis: Redis;
  readonly #prefix: string;

  constructor(users: Users, redis: Redis, prefix: string) {
    this.#users = users;
    this.#redis = redis;
    this.#prefix = prefix;
  }

  async find(id: string): Promise<User | undefined> {
    const cached = await this.#redis.get(this.#prefix + id).catch(() => null);
    if (cached !== null) return JSON.parse(cached);
    const user = await this.#users.find(id);
    if (user !== undefined) {
      await this.#redis.set(this.#prefix + id, JSON.stringify(user), "EX", TTL_SECONDS).catch(() => {});
    }
    return user;
  }

  async list(after: string, limit: number): Promise<User[]> {
    return this.#users.list(after, limit);
  }

  async create(user: User): Promise<void> {
    await this.#users.create(user);
  }

  async delete(id: string): Promise<boolean> {
    const deleted = await this.#users.delete(id);
    await this.#redis.del(this.#prefix + id).catch(() => {});
    return deleted;
  }
}
