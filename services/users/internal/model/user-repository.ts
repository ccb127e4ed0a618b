import type { Context } from "parapet/context";
import type { User } from "./user.ts";

/** A stretch of the list of users. */
export interface UserRange {
  /** The id that the first user comes after; undefined starts at the beginning. */
  readonly after: string | undefined;
  /** The most users to give. */
  readonly limit: number;
}

/**
 * Keeps users. Every implementation passes `userRepositorySuite`. All methods throw `canceled` or `timeout` when the
 * context is done, and `unavailable` when what keeps the users is away.
 */
export interface UserRepository {
  /** The users of the range, in the order of their ids. */
  list(ctx: Context, range: UserRange): Promise<User[]>;
  /** Throws `not_found`. */
  get(ctx: Context, id: string): Promise<User>;
  /** Throws `conflict` when the email address is taken. */
  create(ctx: Context, user: User): Promise<void>;
  /**
   * Locks the user, applies `change`, saves. `change` is synchronous, so that no call can hide under a row lock, and pure,
   * since it may run again; when it throws, the user stays. Throws `not_found`, and `conflict` when the email is taken.
   */
  update(ctx: Context, id: string, change: (user: User) => User): Promise<User>;
  /** Locks the user and deletes it, unless `check` throws. Throws `not_found`. */
  delete(ctx: Context, id: string, check: (user: User) => void): Promise<void>;
}
