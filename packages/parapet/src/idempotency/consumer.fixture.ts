import { Type } from "typebox";
import { event } from "../contract/index.ts";
import { AppError } from "../errors/index.ts";
import { run } from "../lifecycle/index.ts";
import { createLogger } from "../log/index.ts";
import { createBroker, createConsumer, on } from "../messaging/index.ts";
import { createDatabase, sql } from "../postgres/index.ts";
import { createStartMarks, OnceTransactions } from "./index.ts";

/** A process that has an effect for each message, dies of those that say so, and fails at those that say so at first. */
const { DATABASE_URL = "", AMQP_URL = "", GROUP = "", EVENT = "", HANDLE_MS = "0", ORDERED = "" } = process.env;
const log = createLogger({ service: "fixture", level: "info" });
const database = createDatabase(DATABASE_URL, { log });
const broker = createBroker(AMQP_URL, { log });
const transactions = new OnceTransactions(database);
const made = event(EVENT, Type.Object({ n: Type.Integer(), kills: Type.Boolean(), fails: Type.Boolean() }));
const failed = new Set<number>();

const handler = on(made, async (ctx, { data: { n, kills, fails }, once }) => {
  if (kills) process.kill(process.pid, "SIGKILL");
  await new Promise((resolve) => setTimeout(resolve, Number(HANDLE_MS)));
  if (fails && !failed.has(n)) {
    failed.add(n);
    throw new AppError("unavailable", "not at the first time");
  }
  await transactions.run(ctx, (tx) => tx.execute(ctx, sql`insert into effects (n) values (${n})`), once);
});
const consumer = createConsumer({
  from: broker,
  group: GROUP,
  handlers: [handler],
  log,
  starts: createStartMarks(database),
  ordered: ORDERED !== "",
});

await run([database, broker, consumer], { log });
