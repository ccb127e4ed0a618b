import type { Context } from "parapet/context";
import type { Once } from "parapet/contract";
import {
  assertExpected,
  changeUser,
  type ExpectedVersions,
  type NewUser,
  newUser,
  type User,
  type UserChange,
} from "../model/user.ts";
import type { UserRange } from "../model/user-repository.ts";
import type { UserStore } from "../model/user-store.ts";

export interface UserPage {
  readonly users: readonly User[];
  /** The id that the next page comes after; undefined on the last page. */
  readonly nextAfter: string | undefined;
}

interface UserServiceDependencies {
  readonly store: UserStore;
  /** Gives UUIDs that sort by creation, version 7. */
  readonly newId: () => string;
  readonly now: () => Date;
}

/** What the users service does, whatever brings the calls and whatever keeps the users. */
export class UserService {
  readonly #store: UserStore;
  readonly #newId: () => string;
  readonly #now: () => Date;

  constructor({ store, newId, now }: UserServiceDependencies) {
    this.#store = store;
    this.#newId = newId;
    this.#now = now;
  }

  /** A page of users, oldest first. */
  async list(ctx: Context, { limit, after }: UserRange): Promise<UserPage> {
    // One more than asked for tells whether there is a next page.
    const found = await this.#store.users.list(ctx, { after, limit: limit + 1 });
    const users = found.slice(0, limit);
    return { users, nextAfter: found.length > limit ? users.at(-1)?.id : undefined };
  }

  /** Throws `not_found`. */
  async get(ctx: Context, id: string): Promise<User> {
    return this.#store.users.get(ctx, id);
  }

  /** Saves the user and announces it, both or neither. Throws `conflict` when the email address is taken. */
  async create(ctx: Context, request: NewUser, once: Once<User>): Promise<User> {
    const created = await this.#store.transaction(
      ctx,
      async (tx) => {
        const user = newUser(this.#newId(), request, this.#now());
        await tx.users.create(ctx, user);
        tx.announce({ kind: "user_created", user });
        return user;
      },
      once,
    );
    ctx.log.info("user created", { user_id: created.id, action: "create_user" });
    return created;
  }

  /** Throws `not_found`, `conflict` when the email address is taken, and `stale` for a version that is not expected. */
  async update(
    ctx: Context,
    id: string,
    { change, expected }: { change: UserChange; expected?: ExpectedVersions },
  ): Promise<User> {
    const updated = await this.#store.transaction(ctx, async (tx) => {
      let before: User | undefined;
      const user = await tx.users.update(ctx, id, (user) => {
        before = user;
        assertExpected(user, expected);
        return changeUser(user, change, this.#now());
      });
      if (user !== before) tx.announce({ kind: "user_updated", user });
      return user;
    });
    ctx.log.info("user updated", { user_id: id, action: "update_user" });
    return updated;
  }

  /** Throws `not_found`, and `stale` for a version that is not expected. */
  async delete(ctx: Context, id: string, { expected }: { expected?: ExpectedVersions } = {}): Promise<void> {
    await this.#store.transaction(ctx, async (tx) => {
      const user = await tx.users.delete(ctx, id, (user) => assertExpected(user, expected));
      tx.announce({ kind: "user_deleted", user });
    });
    ctx.log.info("user deleted", { user_id: id, action: "delete_user" });
  }
}
