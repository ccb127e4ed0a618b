import type { Context } from "parapet/context";
import { type Queryable, sql } from "parapet/postgres";
import type { User } from "../../model/user.ts";
import type { UserRange } from "../../model/user-repository.ts";
import { toUser, UserRow } from "./user-row.ts";

const BEFORE_ALL_IDS = "00000000-0000-0000-0000-000000000000";

/** The users of a range, in the order of their ids. */
export async function listUsers(
  ctx: Context,
  db: Queryable,
  { after = BEFORE_ALL_IDS, limit }: UserRange,
): Promise<User[]> {
  const rows = await db.query(
    ctx,
    sql(UserRow)`
      select id, name, email, version, created_at, updated_at
      from users where id > ${after} order by id limit ${limit}`,
  );
  return rows.map(toUser);
}
