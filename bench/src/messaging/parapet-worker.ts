import { rootContext } from "parapet/context";
import { event } from "parapet/contract";
import { createStartMarks, inboxSchema, OnceTransactions } from "parapet/idempotency";
import type { Component } from "parapet/lifecycle";
import { createLogger } from "parapet/log";
import { createBroker, createConsumer, on } from "parapet/messaging";
import { appendToOutbox, createOutboxRelay, outboxRelaySchema, outboxSchema } from "parapet/outbox";
import { createDatabase, defineMigrations, sql } from "parapet/postgres";
import { Type } from "typebox";
import { Effects, now, serve } from "./worker.ts";

/** `parapet-worker.ts publish | consume <group> <prefetch>`, with `DATABASE_URL` and `AMQP_URL`. */
const [role, group = "", prefetch = ""] = process.argv.slice(2);
const { DATABASE_URL = "", AMQP_URL = "" } = process.env;

const happened = event(`${group}.thing.happened.v1`, Type.Object({ n: Type.Integer() }));
const publisherMigrations = defineMigrations([
  { id: "0001_outbox", sql: outboxSchema },
  { id: "0002_outbox_relay", sql: outboxRelaySchema },
  { id: "0003_things", sql: "create table things (n int8 primary key)" },
]);
const consumerMigrations = defineMigrations([
  { id: "0001_inbox", sql: inboxSchema },
  { id: "0002_effects", sql: "create table effects (n int8 primary key)" },
]);
/** Keys keep the order of what happened to them: as many as a busy service has under way. */
const KEYS = 1000;

// As a service logs: to a pipe that somebody reads.
const log = createLogger({ service: "bench", level: "info" });
const ctx = rootContext(log);
const migrations = role === "publish" ? publisherMigrations : consumerMigrations;
const database = createDatabase(DATABASE_URL, { log, migrations });
const broker = createBroker(AMQP_URL, { log });
await database.commands?.migrate?.(ctx);

async function start(...components: readonly Component[]): Promise<() => Promise<void>> {
  for (const component of components) await component.start(ctx);
  return async () => {
    for (const component of components.toReversed()) await component.drain?.(ctx);
    for (const component of components.toReversed()) await component.stop(ctx);
  };
}

if (role === "publish") {
  const stop = await start(database, broker, createOutboxRelay({ from: database, to: broker, log }));
  const publish = async (n: number) => {
    await database.transaction(ctx, async (tx) => {
      await tx.execute(ctx, sql`insert into things values (${n})`);
      appendToOutbox(tx, { event: happened, key: `k${n % KEYS}`, data: { n } });
    });
    return now();
  };
  serve({ publish, stop });
} else {
  const effects = new Effects();
  const transactions = new OnceTransactions(database);
  const handler = on(happened, async (ctx, { data: { n }, once }) => {
    await transactions.run(ctx, (tx) => tx.execute(ctx, sql`insert into effects values (${n})`), once);
    effects.note(n);
  });
  const starts = createStartMarks(database);
  const consumer = createConsumer({
    from: broker,
    group,
    handlers: [handler],
    prefetch: Number(prefetch),
    log,
    starts,
  });
  const stop = await start(database, broker, consumer);
  while (consumer.notReadyBecause() !== undefined) await new Promise((resolve) => setTimeout(resolve, 10));
  serve({ stop }, effects);
}
