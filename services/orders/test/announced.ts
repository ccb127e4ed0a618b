import { type Database, row, sql } from "parapet/postgres";
import { testContext } from "parapet/testing";

const Announced = row({ type: "text", aggregateid: "text" });

/** The kinds and ids of the facts in the outbox, oldest first. */
export async function announcedIn(database: Database): Promise<readonly string[]> {
  const rows = await database.query(testContext(), sql(Announced)`select type, aggregateid from outbox order by seq`);
  return rows.map(({ type, aggregateid }) => `${type.split(".").slice(1, 3).join("_")} ${aggregateid}`);
}
