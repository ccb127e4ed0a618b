import assert from "node:assert/strict";
import test from "node:test";
import { withCancel } from "parapet/context";
import { AppError, hasCode } from "parapet/errors";
import { row, sql } from "parapet/postgres";
import { announcedIn, describeStatements, eventually, postgresSandbox, testContext } from "parapet/testing";
import { migrations } from "../../../migrations/index.ts";
import { newUser } from "../../model/user.ts";
import { userStoreSuite } from "../../model/user-store.suite.ts";
import { PostgresUserStore } from "./postgres-user-store.ts";

userStoreSuite("the Postgres store", async (t) => {
  const { database } = await postgresSandbox(t, { migrations });
  return { store: new PostgresUserStore(database), announced: () => announcedIn(database) };
});

test("a caller that leaves while its update waits for the row hears so at once, and the user stays", async (t) => {
  const ctx = testContext();
  const { database } = await postgresSandbox(t, { migrations });
  const store = new PostgresUserStore(database);
  const ada = newUser("01932c07-4e2a-7d53-9b1f-6a2f0c8e5d41", { name: "Ada", email: "ada@example.com" }, new Date());
  await store.transaction(ctx, (tx) => tx.users.create(ctx, ada));

  await database.transaction(ctx, async (tx) => {
    await tx.execute(ctx, sql`update users set version = version where id = ${ada.id}`);
    await withCancel(ctx, async (caller, leave) => {
      const waiting = store.transaction(caller, (tx) =>
        tx.users.update(caller, ada.id, (user) => ({ ...user, name: "never" })),
      );
      const rejected = assert.rejects(waiting, (thrown) => hasCode(thrown, "canceled"));
      const waiters = () =>
        database.query(
          ctx,
          sql(row({ pid: "int4" }))`
            select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        );
      await eventually(async () => (await waiters()).length > 0);
      leave(new AppError("canceled", "the caller is gone"));
      await rejected;
      await eventually(async () => (await waiters()).length === 0);
    });
  });
  assert.deepEqual(await store.users.get(ctx, ada.id), ada);
});

// The statements that this describes are the ones that ran above.
test("every row type tells the truth about its columns", async (t) => {
  const { url } = await postgresSandbox(t, { migrations });
  assert.deepEqual(await describeStatements(url, new URL(".", import.meta.url)), []);
});
