import { Type } from "typebox";
import { event } from "../contract/index.ts";
import { run } from "../lifecycle/index.ts";
import { createLogger } from "../log/index.ts";
import { createBroker, createConsumer, on } from "../messaging/index.ts";
import { createDatabase, sql } from "../postgres/index.ts";
import { createStartMarks, OnceTransactions } from "./index.ts";

/** A process that has an effect for each message, and dies of those that say so. */
const { DATABASE_URL = "", AMQP_URL = "", GROUP = "", EVENT = "", HANDLE_MS = "0" } = process.env;
const log = createLogger({ service: "fixture", level: "info" });
const database = createDatabase(DATABASE_URL, { log });
const broker = createBroker(AMQP_URL, { log });
const transactions = new OnceTransactions(database);
const made = event(EVENT, Type.Object({ n: Type.Integer(), kills: Type.Boolean() }));

const handler = on(made, async (ctx, { data: { n, kills }, once }) => {
  if (kills) process.kill(process.pid, "SIGKILL");
  await new Promise((resolve) => setTimeout(resolve, Number(HANDLE_MS)));
  await transactions.run(ctx, (tx) => tx.execute(ctx, sql`insert into effects (n) values (${n})`), once);
});
const consumer = createConsumer({
  from: broker,
  group: GROUP,
  handlers: [handler],
  log,
  starts: createStartMarks(database),
});

await run([database, broker, consumer], { log });
