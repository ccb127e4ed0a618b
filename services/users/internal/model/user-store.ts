import type { Context } from "parapet/context";
import type { Once } from "parapet/contract";
import type { User } from "./user.ts";
import type { UserReader, UserRepository } from "./user-repository.ts";

/** What happened to a user, for whoever wants to know. */
export interface UserFact {
  readonly kind: "user_created" | "user_updated" | "user_deleted";
  /** As it is now; as it was last when it is deleted. */
  readonly user: User;
}

/** Changes that happen together or not at all. */
export interface UserTransaction {
  readonly users: UserRepository;
  /** Has the fact told to the world when the transaction is committed, and only then. */
  announce(fact: UserFact): void;
}

/**
 * Keeps users and what is to be told of them. Every implementation passes `userStoreSuite`. All methods throw `canceled` or
 * `timeout` when the context is done, and `unavailable` when what keeps the users is away.
 */
export interface UserStore {
  readonly users: UserReader;
  /**
   * Commits what `work` did when it returns and nothing when it throws. `work` may run again, so it changes nothing else.
   * With `once`, a claim that was kept before is replayed instead.
   */
  transaction<T>(ctx: Context, work: (tx: UserTransaction) => Promise<T>, once?: Once<T>): Promise<T>;
}
