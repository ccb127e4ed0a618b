import { type Database, row, sql } from "../postgres/index.ts";
import { testContext } from "./test-context.ts";

const Announced = row({ type: "text", aggregateid: "text" });

/** What waits in a database's outbox, oldest first: `user_created` and the key, for an event `users.user.created.v1`. */
export async function announcedIn(database: Database): Promise<readonly string[]> {
  const rows = await database.query(testContext(), sql(Announced)`select type, aggregateid from outbox order by seq`);
  return rows.map(({ type, aggregateid }) => `${type.split(".").slice(1, 3).join("_")} ${aggregateid}`);
}
