import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { type Context, withCancel, withTimeout } from "../context/index.ts";
import { AppError, hasCode, isOutcomeUnknown } from "../errors/index.ts";
import { createRegistry } from "../metrics/index.ts";
import { eventually } from "../testing/eventually.ts";
import { faultProxy } from "../testing/fault-proxy.ts";
import { postgresSandbox } from "../testing/postgres-sandbox.ts";
import { testContext } from "../testing/test-context.ts";
import { createDatabase, type Database, type DatabaseOptions } from "./database.ts";
import { defineMigrations } from "./migrations.ts";
import type { Queryable } from "./queryable.ts";
import { row } from "./row.ts";
import { sql } from "./sql.ts";
import { sqlstateOf, violates } from "./sqlstate.ts";

const migrations = defineMigrations([
  {
    id: "0001_accounts",
    sql: `
      create table accounts (id int4 primary key, balance int4 not null, owner text unique deferrable initially deferred);
      insert into accounts (id, balance, owner) values (1, 100, 'ann'), (2, 100, 'bob');`,
  },
]);

const Account = row({ balance: "int4" });
const Count = row({ count: "int4" });

async function bank(t: TestContext, options: Partial<DatabaseOptions> = {}) {
  const { url } = await postgresSandbox(t, { migrations });
  const ctx = testContext();
  const open = (url: string): Database => {
    const database = createDatabase(url, { log: ctx.log, metrics: createRegistry(), ...options });
    t.after(async () => {
      await database.stop(ctx);
    });
    return database;
  };
  return { ctx, url, open, database: open(url) };
}

async function balanceOf(ctx: Context, db: Queryable, id: number): Promise<number | undefined> {
  const [account] = await db.query(ctx, sql(Account)`select balance from accounts where id = ${id}`);
  return account?.balance;
}

async function setBalance(ctx: Context, db: Queryable, id: number, balance: number): Promise<void> {
  await db.execute(ctx, sql`update accounts set balance = ${balance} where id = ${id}`);
}

async function openTransactions(ctx: Context, db: Queryable): Promise<number> {
  const [row] = await db.query(
    ctx,
    sql(Count)`select count(*)::int4 as count from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
        and backend_type = 'client backend'`,
  );
  return row?.count ?? 0;
}

test("work that returns is committed, and its result handed on", async (t) => {
  const { ctx, database } = await bank(t);
  const result = await database.transaction(ctx, async (tx) => {
    await setBalance(ctx, tx, 1, 50);
    return balanceOf(ctx, tx, 1);
  });
  assert.equal(result, 50);
  assert.equal(await balanceOf(ctx, database, 1), 50);
});

test("work that throws is rolled back, and what it threw comes out as it is", async (t) => {
  const { ctx, database } = await bank(t);
  const thrown = new Error("changed my mind");
  const transaction = database.transaction(ctx, async (tx) => {
    await setBalance(ctx, tx, 1, 50);
    throw thrown;
  });
  await assert.rejects(transaction, (error) => error === thrown);
  assert.equal(await balanceOf(ctx, database, 1), 100);
  await eventually(async () => (await openTransactions(ctx, database)) === 0, 1000);
});

test("after a failed statement all others fail the same way, and the transaction too when its work hides it", async (t) => {
  const { ctx, database } = await bank(t);
  const failures: unknown[] = [];
  const transaction = database.transaction(ctx, async (tx) => {
    await tx.execute(ctx, sql`insert into accounts (id, balance) values (1, 0)`).catch((error) => failures.push(error));
    await balanceOf(ctx, tx, 1).catch((error) => failures.push(error));
  });
  await assert.rejects(transaction, (error) => violates(error, "accounts_pkey"));
  assert.equal(failures.length, 2);
  assert.equal(failures[0], failures[1]);
});

test("a constraint that is checked at the commit fails the transaction as what it is", async (t) => {
  const { ctx, database } = await bank(t);
  const transaction = database.transaction(ctx, async (tx) => {
    await tx.execute(ctx, sql`insert into accounts (id, balance, owner) values (3, 0, 'ann')`);
  });
  await assert.rejects(transaction, (error) => hasCode(error, "conflict") && violates(error, "accounts_owner_key"));
  assert.equal(await balanceOf(ctx, database, 3), undefined);
});

test("statements that are asked for at once run one after the other", async (t) => {
  const { ctx, database } = await bank(t);
  const balances = await database.transaction(ctx, (tx) =>
    Promise.all([1, 2, 3].map((id) => balanceOf(ctx, tx, id).then((balance) => balance ?? 0))),
  );
  assert.deepEqual(balances, [100, 100, 0]);
});

test("a statement that its work did not wait for is part of the transaction", async (t) => {
  const { ctx, database } = await bank(t);
  await database.transaction(ctx, async (tx) => {
    void setBalance(ctx, tx, 1, 50);
  });
  assert.equal(await balanceOf(ctx, database, 1), 50);
});

test("a transaction that is over takes no statement and no hook", async (t) => {
  const { ctx, database } = await bank(t);
  for (const end of [async () => {}, async () => Promise.reject(new Error("no"))]) {
    let over: Parameters<Parameters<Database["transaction"]>[1]>[0] | undefined;
    await database
      .transaction(ctx, async (tx) => {
        over = tx;
        await end();
      })
      .catch(() => {});
    const tx = over ?? assert.fail();
    await assert.rejects(balanceOf(ctx, tx, 1), (error) => hasCode(error, "internal"));
    assert.throws(
      () => tx.afterCommit(() => {}),
      (error) => hasCode(error, "internal"),
    );
  }
});

test("hooks run in order around the commit, those after it with the connection given back", async (t) => {
  const { ctx, database } = await bank(t, { poolMax: 1 });
  const seen: unknown[] = [];
  await database.transaction(ctx, async (tx) => {
    tx.afterCommit(async () => void seen.push("after", await balanceOf(ctx, database, 1)));
    tx.beforeCommit(async () => {
      await setBalance(ctx, tx, 1, 50);
      tx.beforeCommit(async () => void seen.push("before", await balanceOf(ctx, tx, 1)));
    });
    seen.push("work");
  });
  assert.deepEqual(seen, ["work", "before", 50, "after", 50]);
});

test("a hook before the commit that throws rolls back; one after it is logged and fails nothing", async (t) => {
  const { ctx, database } = await bank(t);
  const before = database.transaction(ctx, async (tx) => {
    await setBalance(ctx, tx, 1, 50);
    tx.beforeCommit(() => Promise.reject(new Error("no")));
    tx.afterCommit(() => assert.fail("nothing was committed"));
  });
  await assert.rejects(before, /no/);
  assert.equal(await balanceOf(ctx, database, 1), 100);
  await database.transaction(ctx, async (tx) => {
    await setBalance(ctx, tx, 1, 60);
    tx.afterCommit(() => {
      throw new Error("too late");
    });
  });
  assert.equal(await balanceOf(ctx, database, 1), 60);
  assert.deepEqual(
    ctx.lines.map(({ level, msg }) => [level, msg]),
    [["error", "a hook after a commit failed"]],
  );
});

test("C11: of two transactions that lock each other out, the one that the server stops runs again as a whole", async (t) => {
  const { ctx, database } = await bank(t);
  let attempts = 0;
  let firstLocks = 0;
  const transfer = (from: number, to: number) =>
    database.transaction(ctx, async (tx) => {
      attempts++;
      await tx.execute(ctx, sql`update accounts set balance = balance - 10 where id = ${from}`);
      firstLocks++;
      // Both hold their first row before either asks for its second, the first time.
      await eventually(() => firstLocks >= 2);
      await tx.execute(ctx, sql`update accounts set balance = balance + 10 where id = ${to}`);
    });
  await Promise.all([transfer(1, 2), transfer(2, 1)]);
  assert.equal(attempts, 3);
  assert.deepEqual([await balanceOf(ctx, database, 1), await balanceOf(ctx, database, 2)], [100, 100]);
});

test("C11: write skew is prevented, and eight that fight for it all come through or are told to come back", async (t) => {
  const { ctx, database } = await bank(t);
  const withdraw = (id: number) =>
    database.transaction(
      ctx,
      async (tx) => {
        const total = ((await balanceOf(ctx, tx, 1)) ?? 0) + ((await balanceOf(ctx, tx, 2)) ?? 0);
        if (total < 50) return false;
        await tx.execute(ctx, sql`update accounts set balance = balance - 50 where id = ${id}`);
        return true;
      },
      { isolation: "serializable" },
    );
  const results = await Promise.allSettled([1, 2, 1, 2, 1, 2, 1, 2].map(withdraw));
  const withdrawn = results.filter((result) => result.status === "fulfilled" && result.value).length;
  for (const result of results) {
    if (result.status === "rejected") assert.ok(hasCode(result.reason, "unavailable"), String(result.reason));
  }
  assert.ok(withdrawn >= 1 && withdrawn <= 4);
  const left = ((await balanceOf(ctx, database, 1)) ?? 0) + ((await balanceOf(ctx, database, 2)) ?? 0);
  assert.equal(left, 200 - 50 * withdrawn);
});

test("a serialization failure is retried three times, with the hooks of the last attempt alone, then unavailable", async (t) => {
  const { ctx, database } = await bank(t);
  await database.execute(
    ctx,
    sql`create function clash() returns void language plpgsql as
      $$ begin raise exception 'clash' using errcode = '40001'; end $$`,
  );
  let attempts = 0;
  let committed = 0;
  const work = async (clashes: number) => {
    attempts = 0;
    await database.transaction(ctx, async (tx) => {
      attempts++;
      tx.afterCommit(() => void committed++);
      if (attempts <= clashes) await tx.execute(ctx, sql`select clash()`);
    });
  };
  await work(3);
  assert.deepEqual([attempts, committed], [4, 1]);
  await assert.rejects(work(4), (error) => hasCode(error, "unavailable") && sqlstateOf(error) === "40001");
  assert.deepEqual([attempts, committed], [4, 1]);
});

test("a caller that leaves hears so at once; its transaction is rolled back and its connection kept", async (t) => {
  const { ctx, database } = await bank(t, { poolMax: 1 });
  const gone = new AppError("canceled", "the caller left");
  const pid = async () => (await database.query(ctx, sql(Count)`select pg_backend_pid() as count`))[0]?.count;
  const before = await pid();
  await withCancel(ctx, async (inner, cancel) => {
    const transaction = database.transaction(inner, async (tx) => {
      await setBalance(inner, tx, 1, 50);
      setTimeout(() => cancel(gone), 50);
      await tx.execute(inner, sql`select pg_sleep(60)`);
    });
    await assert.rejects(transaction, (error) => error === gone);
  });
  assert.equal(await balanceOf(ctx, database, 1), 100);
  await eventually(async () => (await openTransactions(ctx, database)) === 0, 1000);
  assert.equal(await pid(), before);
});

test("a deadline that passes between statements rolls back before the commit", async (t) => {
  const { ctx, database } = await bank(t);
  const transaction = withTimeout(ctx, 100, (inner) =>
    database.transaction(inner, async (tx) => {
      await setBalance(ctx, tx, 1, 50);
      await eventually(() => inner.done !== undefined);
    }),
  );
  await assert.rejects(transaction, (error) => hasCode(error, "timeout"));
  await eventually(async () => (await openTransactions(ctx, database)) === 0, 1000);
  assert.equal(await balanceOf(ctx, database, 1), 100);
});

test("the server itself stops statements at the caller's deadline", async (t) => {
  const { ctx, database } = await bank(t);
  const Setting = row({ ms: "text" });
  const settingUnder = (timeoutMs: number) =>
    withTimeout(ctx, timeoutMs, (inner) =>
      database.transaction(inner, async (tx) => {
        const [setting] = await tx.query(inner, sql(Setting)`select current_setting('statement_timeout') as ms`);
        return setting?.ms;
      }),
    );
  assert.match((await settingUnder(3000)) ?? "", /^2\d\d\dms$/);
  assert.equal(await settingUnder(60_000), "5s");
});

test("C8: a connection lost during the commit leaves the outcome unknown, and nothing is tried again", async (t) => {
  const { ctx, url, open, database } = await bank(t);
  const proxy = await faultProxy(t, url);
  const throughProxy = open(proxy.url);
  let attempts = 0;
  const transaction = throughProxy.transaction(ctx, async (tx) => {
    attempts++;
    await setBalance(ctx, tx, 1, 50);
    // From here on the reply is lost, and it is the commit's.
    tx.beforeCommit(() => proxy.cut(0));
    tx.afterCommit(() => assert.fail("nobody knows that it was committed"));
  });
  await assert.rejects(transaction, (error) => hasCode(error, "unavailable") && isOutcomeUnknown(error));
  assert.equal(attempts, 1);
  assert.equal(await balanceOf(ctx, database, 1), 50);
});

test("C8: a server that vanishes during the commit leaves the outcome unknown within a second of the deadline", async (t) => {
  const { ctx, url, open } = await bank(t);
  const proxy = await faultProxy(t, url);
  const throughProxy = open(proxy.url);
  const startedAt = performance.now();
  const transaction = withTimeout(ctx, 300, (inner) =>
    throughProxy.transaction(inner, async (tx) => {
      await setBalance(inner, tx, 1, 50);
      tx.beforeCommit(() => proxy.blackhole());
    }),
  );
  await assert.rejects(transaction, (error) => isOutcomeUnknown(error));
  assert.ok(performance.now() - startedAt < 2500);
});

test("C6: a connection that the server ends in the middle of a transaction is unavailable, not tried again, and replaced", async (t) => {
  const { ctx, database } = await bank(t);
  let attempts = 0;
  const transaction = database.transaction(ctx, async (tx) => {
    attempts++;
    await setBalance(ctx, tx, 1, 50);
    const [self] = await tx.query(ctx, sql(Count)`select pg_backend_pid() as count`);
    await database.execute(ctx, sql`select pg_terminate_backend(${self?.count ?? 0})`);
    await setBalance(ctx, tx, 2, 50);
  });
  await assert.rejects(transaction, (error) => hasCode(error, "unavailable") && !isOutcomeUnknown(error));
  assert.equal(attempts, 1);
  assert.equal(await balanceOf(ctx, database, 1), 100);
});

test("C12: a row that stays locked is unavailable after the lock timeout, with a time to come back", async (t) => {
  const { ctx, database } = await bank(t);
  await database.transaction(ctx, async (holder) => {
    await setBalance(ctx, holder, 1, 50);
    const startedAt = performance.now();
    const waiting = database.execute(ctx, sql`update accounts set balance = 0 where id = 1`);
    await assert.rejects(waiting, (error) => {
      return hasCode(error, "unavailable") && error.fields.sqlstate === "55P03" && error.retryAfterMs !== undefined;
    });
    assert.ok(performance.now() - startedAt < 3500);
  });
});

test("C17: text that can't be stored is invalid in whatever round trip it travels, and nothing is saved", async (t) => {
  const { ctx, database } = await bank(t);
  for (const how of ["executeSoon", "executeAtCommit"] as const) {
    const failing = database.transaction(ctx, async (tx) =>
      tx[how](sql`update accounts set owner = ${"a\0b"} where id = 1`),
    );
    await assert.rejects(failing, (thrown) => hasCode(thrown, "invalid") && !isOutcomeUnknown(thrown));
  }
});

test("what is run soon, or at the commit, is all there or not at all, with and without a round trip before", async (t) => {
  const { ctx, database } = await bank(t);
  for (const reads of [false, true]) {
    const failing = database.transaction(ctx, async (tx) => {
      if (reads) await balanceOf(ctx, tx, 1);
      tx.executeSoon(sql`update accounts set balance = 1 where id = 1`);
      tx.executeAtCommit(sql`insert into accounts (id, balance, owner) values (2, 1, 'twice')`);
    });
    await assert.rejects(failing, (thrown) => hasCode(thrown, "conflict"));
    assert.equal(await balanceOf(ctx, database, 1), 100);
  }
  await database.transaction(ctx, async (tx) => {
    tx.executeSoon(sql`update accounts set balance = 7 where id = 1`);
    assert.equal(await balanceOf(ctx, tx, 1), 7, "what is read next sees it");
    tx.executeAtCommit(sql`update accounts set balance = balance + 1 where id = 1`);
  });
  assert.equal(await balanceOf(ctx, database, 1), 8);
});

test("a statement that asks for a transaction block gets one, though nothing was read before", async (t) => {
  const { ctx, database } = await bank(t);
  await database.transaction(ctx, async (tx) => {
    tx.executeSoon(sql`lock table accounts in share mode`);
    tx.executeSoon(sql`update accounts set balance = 7 where id = 1`);
  });
  assert.equal(await balanceOf(ctx, database, 1), 7);
});

test("a caller that leaves while the last statements wait for a lock has them undone, and hears why", async (t) => {
  const { ctx, database } = await bank(t);
  await database.transaction(ctx, async (holder) => {
    await setBalance(ctx, holder, 1, 50);
    await withCancel(ctx, async (caller, leave) => {
      const waiting = database.transaction(caller, async (tx) =>
        tx.executeSoon(sql`update accounts set balance = 0 where id = 1`),
      );
      const rejected = assert.rejects(waiting, (thrown) => hasCode(thrown, "canceled"));
      const waiters = sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      await eventually(async () => (await database.execute(ctx, waiters)) === 1);
      leave(new AppError("canceled", "the caller is gone"));
      await rejected;
    });
  });
  assert.equal(await balanceOf(ctx, database, 1), 50);
});
