import { type Database, sql } from "parapet/postgres";
import { testContext } from "parapet/testing";

/**
 * Has the server itself refuse what is written to the table of users with this SQLSTATE, so many times (always, unless said).
 * What is counted stays counted when the transaction is rolled back.
 */
export async function breakWrites(database: Database, sqlstate: string, times = 1_000_000): Promise<void> {
  const ctx = testContext();
  await database.transaction(ctx, async (tx) => {
    await tx.execute(ctx, sql`create table faults (sqlstate text not null, times int4 not null)`);
    await tx.execute(ctx, sql`insert into faults (sqlstate, times) values (${sqlstate}, ${times})`);
    await tx.execute(ctx, sql`create sequence faults_seen`);
    await tx.execute(
      ctx,
      sql`create function refuse() returns trigger language plpgsql as $$ begin
        if nextval('faults_seen') <= (select times from faults) then
          raise exception 'refused for a test' using errcode = (select sqlstate from faults);
        end if;
        return coalesce(new, old);
      end $$`,
    );
    await tx.execute(
      ctx,
      sql`create trigger refuse before insert or update or delete on users for each row execute function refuse()`,
    );
  });
}

/** Has it refuse nothing any more. */
export async function mendWrites(database: Database): Promise<void> {
  await database.execute(testContext(), sql`update faults set times = 0`);
}
