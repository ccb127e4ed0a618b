import assert from "node:assert/strict";
import { type Database, row, type Statement, sql } from "parapet/postgres";
import { eventually, testContext } from "parapet/testing";
import { databaseRoutes } from "./database-routes.ts";
import type { UsersProcess } from "./users-process.ts";

/** A connection of the service, as the database sees it. */
export interface DatabaseSession {
  readonly pid: number;
  /** `active` while it runs a statement. */
  readonly state: string | null;
  /** Waits for somebody's lock. */
  readonly is_locked_out: boolean;
}

const SessionRow = row({ pid: "int4", state: "text?", is_locked_out: "bool" });

/** The connections that the service has to its database. */
export function sessionsOf(database: Database): Promise<readonly DatabaseSession[]> {
  return database.query(
    testContext(),
    sql(SessionRow)`
      select pid, state, coalesce(wait_event_type = 'Lock', false) as is_locked_out from pg_stat_activity
      where datname = current_database() and application_name = 'users' order by pid`,
  );
}

/** Has the service open so many for changes, by as many changes of a user that have to wait for each other. */
export async function openSessions({ users, database }: UsersProcess, id: string, sessions: number): Promise<void> {
  const { update } = databaseRoutes(users, id);
  const updates: Promise<Response>[] = [];
  await whileHeld(database, sql`select id from users where id = ${id} for update`, async () => {
    for (let number = 0; number < sessions; number++) updates.push(update(number));
    await lockedOut(database, sessions);
  });
  for (const { status } of await Promise.all(updates)) assert.equal(status, 200);
}

/** Terminates all of them; gives how many there were. */
export async function terminateSessions(database: Database): Promise<number> {
  const terminated = await database.query(
    testContext(),
    sql(row({ done: "bool" }))`
      select pg_terminate_backend(pid) as done from pg_stat_activity
      where datname = current_database() and application_name = 'users'`,
  );
  return terminated.length;
}

/** Waits until at least so many of them wait for a lock. */
export async function lockedOut(database: Database, sessions: number): Promise<void> {
  await eventually(async () => (await sessionsOf(database)).filter((one) => one.is_locked_out).length >= sessions);
}

/** Does the work while somebody else's transaction holds the locks that the statement took. */
export async function whileHeld(database: Database, statement: Statement, work: () => Promise<void>): Promise<void> {
  const ctx = testContext();
  await database.transaction(ctx, async (tx) => {
    await tx.execute(ctx, statement);
    await work();
  });
}

/** How many users are stored. */
export async function storedUsers(database: Database): Promise<number> {
  const [stored] = await database.query(
    testContext(),
    sql(row({ count: "int4" }))`select count(*)::int4 as count from users`,
  );
  return stored?.count ?? 0;
}
