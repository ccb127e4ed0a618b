import type { Context } from "parapet/context";
import { parseCursor, toCursor } from "../model/cursor.ts";
import {
  assertExpected,
  changeUser,
  type ExpectedVersions,
  type NewUser,
  newUser,
  type User,
  type UserChange,
} from "../model/user.ts";
import type { UserRepository } from "../model/user-repository.ts";

export interface UserPage {
  readonly users: readonly User[];
  /** Where the next page starts; undefined on the last page. */
  readonly nextCursor: string | undefined;
}

/** What the users service does, whatever brings the calls and whatever keeps the users. */
export class UserService {
  readonly #users: UserRepository;
  readonly #newId: () => string;
  readonly #now: () => Date;

  /** `newId` gives UUIDs that sort by creation, version 7. */
  constructor({ users, newId, now }: { users: UserRepository; newId: () => string; now: () => Date }) {
    this.#users = users;
    this.#newId = newId;
    this.#now = now;
  }

  /** A page of users, oldest first. Throws `invalid` for a cursor that is not ours. */
  async list(ctx: Context, { limit, cursor }: { limit: number; cursor?: string }): Promise<UserPage> {
    const after = cursor === undefined ? undefined : parseCursor(cursor);
    // One more than asked for tells whether there is a next page.
    const found = await this.#users.list(ctx, { after, limit: limit + 1 });
    const users = found.slice(0, limit);
    const last = found.length > limit ? users.at(-1) : undefined;
    return { users, nextCursor: last && toCursor(last.id) };
  }

  /** Throws `not_found`. */
  async get(ctx: Context, id: string): Promise<User> {
    return this.#users.get(ctx, id);
  }

  /** Throws `conflict` when the email address is taken. */
  async create(ctx: Context, request: NewUser): Promise<User> {
    const user = newUser(this.#newId(), request, this.#now());
    await this.#users.create(ctx, user);
    ctx.log.info("user created", { user_id: user.id, action: "create_user" });
    return user;
  }

  /** Throws `not_found`, `conflict` when the email address is taken, and `stale` for a version that is not expected. */
  async update(
    ctx: Context,
    id: string,
    { change, expected }: { change: UserChange; expected?: ExpectedVersions },
  ): Promise<User> {
    const updated = await this.#users.update(ctx, id, (user) => {
      assertExpected(user, expected);
      return changeUser(user, change, this.#now());
    });
    ctx.log.info("user updated", { user_id: id, action: "update_user" });
    return updated;
  }

  /** Throws `not_found`, and `stale` for a version that is not expected. */
  async delete(ctx: Context, id: string, { expected }: { expected?: ExpectedVersions } = {}): Promise<void> {
    await this.#users.delete(ctx, id, (user) => assertExpected(user, expected));
    ctx.log.info("user deleted", { user_id: id, action: "delete_user" });
  }
}
