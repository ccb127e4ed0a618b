import { idempotencySchema } from "parapet/idempotency";
import { outboxRelaySchema, outboxSchema } from "parapet/outbox";
import { defineMigrations } from "parapet/postgres";
import users from "./0001_users.sql";

/** The history of the schema, oldest first; `server.mjs migrate` applies what is missing. */
export const migrations = defineMigrations([
  { id: "0001_users", sql: users },
  { id: "0002_outbox", sql: outboxSchema },
  { id: "0003_idempotency", sql: idempotencySchema },
  { id: "0004_outbox_relay", sql: outboxRelaySchema },
]);
