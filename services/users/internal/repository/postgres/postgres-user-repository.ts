import type { Context } from "parapet/context";
import { type Database, type Queryable, type RowOf, row, sql, violates } from "parapet/postgres";
import { emailKey, emailTaken, type User, userNotFound } from "../../model/user.ts";
import type { UserRange, UserRepository } from "../../model/user-repository.ts";

const UserRow = row({
  id: "uuid",
  name: "text",
  email: "text",
  version: "int4",
  created_at: "timestamptz",
  updated_at: "timestamptz",
});
type UserRow = RowOf<typeof UserRow>;

const BEFORE_ALL_IDS = "00000000-0000-0000-0000-000000000000";

/** Keeps users in PostgreSQL, in the table `users`. */
export class PostgresUserRepository implements UserRepository {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async list(ctx: Context, { after = BEFORE_ALL_IDS, limit }: UserRange): Promise<User[]> {
    const rows = await this.#database.query(
      ctx,
      sql(UserRow)`
        select id, name, email, version, created_at, updated_at
        from users where id > ${after} order by id limit ${limit}`,
    );
    return rows.map(toUser);
  }

  async get(ctx: Context, id: string): Promise<User> {
    const rows = await this.#database.query(
      ctx,
      sql(UserRow)`select id, name, email, version, created_at, updated_at from users where id = ${id}`,
    );
    return found(rows);
  }

  async create(ctx: Context, { id, name, email, version, createdAt, updatedAt }: User): Promise<void> {
    const inserted = this.#database.execute(
      ctx,
      sql`
        insert into users (id, name, email, email_key, version, created_at, updated_at)
        values (${id}, ${name}, ${email}, ${emailKey(email)}, ${version}, ${createdAt}, ${updatedAt})`,
    );
    await inserted.catch(throwEmailTaken);
  }

  async update(ctx: Context, id: string, change: (user: User) => User): Promise<User> {
    const updated = this.#database.transaction(ctx, async (tx) => {
      const user = await lock(ctx, tx, id);
      const changed = change(user);
      if (changed !== user) await save(ctx, tx, changed);
      return changed;
    });
    return updated.catch(throwEmailTaken);
  }

  async delete(ctx: Context, id: string, check: (user: User) => void): Promise<void> {
    await this.#database.transaction(ctx, async (tx) => {
      check(await lock(ctx, tx, id));
      await tx.execute(ctx, sql`delete from users where id = ${id}`);
    });
  }
}

async function lock(ctx: Context, tx: Queryable, id: string): Promise<User> {
  const rows = await tx.query(
    ctx,
    sql(UserRow)`select id, name, email, version, created_at, updated_at from users where id = ${id} for update`,
  );
  return found(rows);
}

async function save(ctx: Context, tx: Queryable, { id, name, email, version, updatedAt }: User): Promise<void> {
  await tx.execute(
    ctx,
    sql`
      update users
      set name = ${name}, email = ${email}, email_key = ${emailKey(email)}, version = ${version}, updated_at = ${updatedAt}
      where id = ${id}`,
  );
}

function found([row]: readonly UserRow[]): User {
  if (row === undefined) throw userNotFound();
  return toUser(row);
}

function toUser({ id, name, email, version, created_at, updated_at }: UserRow): User {
  return { id, name, email, version, createdAt: created_at, updatedAt: updated_at };
}

function throwEmailTaken(thrown: unknown): never {
  throw violates(thrown, "users_email_key_unique") ? emailTaken() : thrown;
}
