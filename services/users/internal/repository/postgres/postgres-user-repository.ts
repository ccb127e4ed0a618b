import type { Context } from "parapet/context";
import { sql, type Transaction } from "parapet/postgres";
import { emailKey, type User, userNotFound } from "../../model/user.ts";
import type { UserRange, UserRepository } from "../../model/user-repository.ts";
import { listUsers } from "./list-users.ts";
import { toUser, UserRow } from "./user-row.ts";

/** Finds and changes users in a transaction of PostgreSQL. Changes travel with what comes next, at the latest the commit. */
export class PostgresUserRepository implements UserRepository {
  readonly #tx: Transaction;

  constructor(tx: Transaction) {
    this.#tx = tx;
  }

  list(ctx: Context, range: UserRange): Promise<User[]> {
    return listUsers(ctx, this.#tx, range);
  }

  async get(ctx: Context, id: string): Promise<User> {
    return found(
      await this.#tx.query(
        ctx,
        sql(UserRow)`select id, name, email, version, created_at, updated_at from users where id = ${id}`,
      ),
    );
  }

  async create(ctx: Context, { id, name, email, version, createdAt, updatedAt }: User): Promise<void> {
    ctx.throwIfDone();
    this.#tx.executeSoon(sql`
      insert into users (id, name, email, email_key, version, created_at, updated_at)
      values (${id}, ${name}, ${email}, ${emailKey(email)}, ${version}, ${createdAt}, ${updatedAt})`);
  }

  async update(ctx: Context, id: string, change: (user: User) => User): Promise<User> {
    const user = await this.#lock(ctx, id);
    const changed = change(user);
    if (changed !== user) this.#save(changed);
    return changed;
  }

  async delete(ctx: Context, id: string, check: (user: User) => void): Promise<User> {
    const user = await this.#lock(ctx, id);
    check(user);
    this.#tx.executeSoon(sql`delete from users where id = ${id}`);
    return user;
  }

  async #lock(ctx: Context, id: string): Promise<User> {
    return found(
      await this.#tx.query(
        ctx,
        sql(UserRow)`select id, name, email, version, created_at, updated_at from users where id = ${id} for update`,
      ),
    );
  }

  #save({ id, name, email, version, updatedAt }: User): void {
    this.#tx.executeSoon(sql`
      update users set name = ${name}, email = ${email}, email_key = ${emailKey(email)},
        version = ${version}, updated_at = ${updatedAt}
      where id = ${id}`);
  }
}

function found(rows: readonly UserRow[]): User {
  const [row] = rows;
  if (row === undefined) throw userNotFound();
  return toUser(row);
}
