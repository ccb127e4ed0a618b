import type { Context } from "parapet/context";
import type { User } from "./user.ts";

/** A stretch of the list of users. */
export interface UserRange {
  /** The id that the first user comes after; undefined starts at the beginning. */
  readonly after: string | undefined;
  /** The most users to give. */
  readonly limit: number;
}

/** Finds users. */
export interface UserReader {
  /** The users of the range, in the order of their ids. */
  list(ctx: Context, range: UserRange): Promise<User[]>;
  /** Throws `not_found`. */
  get(ctx: Context, id: string): Promise<User>;
}

/** Finds and changes users within a transaction. A `conflict` shows when the transaction is committed, at the latest. */
export interface UserRepository extends UserReader {
  /** Throws `conflict` when the email address is taken. */
  create(ctx: Context, user: User): Promise<void>;
  /**
   * Locks the user, applies `change`, saves. `change` is synchronous, so that no call can hide under a row lock; when it
   * throws, the user stays. Throws `not_found`, and `conflict` when the email is taken.
   */
  update(ctx: Context, id: string, change: (user: User) => User): Promise<User>;
  /** Locks the user, deletes it unless `check` throws, and gives what it was. Throws `not_found`. */
  delete(ctx: Context, id: string, check: (user: User) => void): Promise<User>;
}
