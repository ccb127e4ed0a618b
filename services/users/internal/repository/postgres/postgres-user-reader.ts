import type { Context } from "parapet/context";
import { type Database, type Loader, sql } from "parapet/postgres";
import { type User, userNotFound } from "../../model/user.ts";
import type { UserRange, UserReader } from "../../model/user-repository.ts";
import { listUsers } from "./list-users.ts";
import { toUser, UserRow } from "./user-row.ts";

/** Finds users in PostgreSQL; reads by id of concurrent requests are one statement. */
export class PostgresUserReader implements UserReader {
  readonly #database: Database;
  readonly #byId: Loader<string, UserRow>;

  constructor(database: Database) {
    this.#database = database;
    this.#byId = database.loader({
      select: (ids) => sql(UserRow)`
        select id, name, email, version, created_at, updated_at from users where id = any(${ids})`,
      key: ({ id }) => id,
    });
  }

  list(ctx: Context, range: UserRange): Promise<User[]> {
    return listUsers(ctx, this.#database, range);
  }

  async get(ctx: Context, id: string): Promise<User> {
    const found = await this.#byId.load(ctx, id);
    if (found === undefined) throw userNotFound();
    return toUser(found);
  }
}
