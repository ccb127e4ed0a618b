import type { Context } from "parapet/context";
import type { Once } from "parapet/contract";
import { OnceTransactions } from "parapet/idempotency";
import { appendToOutbox, noteInvalidation } from "parapet/outbox";
import { type Database, type Transaction, violates } from "parapet/postgres";
import { emailTaken } from "../../model/user.ts";
import type { UserReader } from "../../model/user-repository.ts";
import type { UserFact, UserStore, UserTransaction } from "../../model/user-store.ts";
import { USERS_CACHE } from "../cached/cached-user-store.ts";
import { PostgresUserReader } from "./postgres-user-reader.ts";
import { PostgresUserRepository } from "./postgres-user-repository.ts";
import { toUserEvent } from "./user-event.ts";

/** Keeps users in PostgreSQL, in the table `users`, and what is to be told of them in its outbox. */
export class PostgresUserStore implements UserStore {
  readonly users: UserReader;
  readonly #transactions: OnceTransactions;

  constructor(database: Database) {
    this.users = new PostgresUserReader(database);
    this.#transactions = new OnceTransactions(database);
  }

  transaction<T>(ctx: Context, work: (tx: UserTransaction) => Promise<T>, once?: Once<T>): Promise<T> {
    return this.#transactions.run(ctx, (tx) => work(toUserTransaction(tx)), once).catch(throwEmailTaken);
  }
}

function throwEmailTaken(thrown: unknown): never {
  throw violates(thrown, "users_email_key_unique") ? emailTaken() : thrown;
}

function toUserTransaction(tx: Transaction): UserTransaction {
  return { users: new PostgresUserRepository(tx), announce: (fact) => announce(tx, fact) };
}

function announce(tx: Transaction, fact: UserFact): void {
  appendToOutbox(tx, toUserEvent(fact));
  // No cache knows a user who is new: nobody had its id to ask for.
  if (fact.kind !== "user_created") noteInvalidation(tx, USERS_CACHE, [fact.user.id]);
}
