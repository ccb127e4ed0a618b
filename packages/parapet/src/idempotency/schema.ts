/**
 * The table of this room, for a service's migrations: `{ id: "0003_idempotency", sql: idempotencySchema }`. The text never
 * changes, since migrations are held to their checksums.
 */
export const idempotencySchema = `
create table idempotency_keys (
  principal text not null,
  operation text not null,
  key text not null,
  fingerprint text not null,
  reply text not null,
  created_at timestamptz not null default now(),
  constraint idempotency_keys_pkey primary key (principal, operation, key)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
create index idempotency_keys_created_at on idempotency_keys (created_at);
`;
