import { idempotencySchema, inboxSchema } from "parapet/idempotency";
import { outboxRelaySchema, outboxSchema } from "parapet/outbox";
import { defineMigrations } from "parapet/postgres";
import orders from "./0001_orders.sql";

/** The history of the schema, oldest first; `server.mjs migrate` applies what is missing. */
export const migrations = defineMigrations([
  { id: "0001_orders", sql: orders },
  { id: "0002_outbox", sql: outboxSchema },
  { id: "0003_outbox_relay", sql: outboxRelaySchema },
  { id: "0004_idempotency", sql: idempotencySchema },
  { id: "0005_inbox", sql: inboxSchema },
]);
