import { userCreated, userDeleted, userUpdated } from "@services/users";
import { defineConfig, loadConfig, text, url } from "parapet/config";
import type { Context } from "parapet/context";
import { createInboxExpiry, createStartMarks, inboxSchema, OnceTransactions } from "parapet/idempotency";
import { run } from "parapet/lifecycle";
import { createLogger } from "parapet/log";
import { createBroker, createConsumer, on } from "parapet/messaging";
import { createDatabase, defineMigrations, row, sql } from "parapet/postgres";

/** What the environment tells the counter. */
const counterConfig = defineConfig({
  databaseUrl: url("DATABASE_URL", {
    protocols: ["postgres:", "postgresql:"],
    secret: true,
    example: "postgres://counter:password@localhost:5432/counter",
    description: "The PostgreSQL that keeps the counts.",
  }),
  amqpUrl: url("AMQP_URL", {
    protocols: ["amqp:", "amqps:"],
    secret: true,
    example: "amqp://counter:password@localhost:5672",
    description: "The RabbitMQ that the users' events come from.",
  }),
  group: text("GROUP", { default: "user_counter", description: "The name of its queue." }),
});

const migrations = defineMigrations([
  { id: "0001_inbox", sql: inboxSchema },
  {
    id: "0002_counts",
    sql: "create table counts (user_id text, event text, n int4 not null, primary key (user_id, event))",
  },
]);

const config = loadConfig(counterConfig, process.env);
const log = createLogger({ service: "user-counter", level: "info" });

// What it depends on.
const database = createDatabase(config.databaseUrl, { log, migrations, service: "user-counter" });
const broker = createBroker(config.amqpUrl, { log });

/** Counts an event of a user. The same message again finds its id in the inbox, and counts nothing. */
const transactions = new OnceTransactions(database);
const counting = ({ type, schema }: typeof userCreated) =>
  on({ type, schema }, async (ctx, { key, once }) => {
    const count = sql`
      insert into counts values (${key}, ${type}, 1)
      on conflict (user_id, event) do update set n = counts.n + 1`;
    await transactions.run(ctx, (tx) => tx.execute(ctx, count), once);
  });

// How the world reaches it.
const consumer = createConsumer({
  from: broker,
  group: config.group,
  handlers: [userCreated, userUpdated, userDeleted].map(counting),
  log,
  starts: createStartMarks(database),
});

/** `node user-counter.ts show` prints what was counted. */
const Count = row({ event: "text", users: "int4", n: "int4" });
const shown = {
  name: "counts",
  start: async () => {},
  stop: async () => undefined,
  commands: {
    show: async (ctx: Context) => {
      const totals = sql(Count)`
        select event, count(*)::int4 as users, sum(n)::int4 as n from counts group by event order by event`;
      for (const { event, users, n } of await database.query(ctx, totals))
        console.log(`${event}: ${n}, of ${users} users`);
    },
  },
};

// Started left to right, stopped right to left: it takes no more messages first, and lets go of the database last.
await run([database, broker, consumer, shown, createInboxExpiry({ in: database, log })], { log });
