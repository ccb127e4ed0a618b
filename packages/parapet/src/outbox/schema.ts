/**
 * The tables of this room, for a service's migrations: `{ id: "0002_outbox", sql: outboxSchema }`. The text never changes,
 * since migrations are held to their checksums; what comes later comes as another. The columns of `outbox` have the names
 * of Debezium's outbox event router, so that change data capture can take the place of a relay.
 */
export const outboxSchema = `
create table outbox (
  -- Per key in the order of the commits: whoever writes holds the key's lock until its own.
  seq bigint generated always as identity (cache 1) primary key,
  id uuid not null unique,
  aggregatetype text not null,
  aggregateid text not null,
  type text not null,
  headers jsonb not null default '{}',
  payload bytea not null,
  lane smallint not null check (lane between 0 and 15),
  created_at timestamptz not null default clock_timestamp(),
  attempts integer not null default 0,
  not_before timestamptz not null default '-infinity',
  last_error text
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, fillfactor = 90);
create index outbox_lane_seq on outbox (lane, seq);

create table cache_invalidations (
  seq bigint generated always as identity primary key,
  cache text not null,
  key text not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
`;

/**
 * What relays need of the outbox's table, as a migration of its own: `{ id: "0004_outbox_relay", sql: outboxRelaySchema }`. What is fresh
 * and what is due are found at once, however much waits for another attempt.
 */
export const outboxRelaySchema = `
create index outbox_fresh on outbox (seq) where attempts = 0;
create index outbox_due on outbox (not_before) where attempts > 0;
create index outbox_failed on outbox (aggregatetype, aggregateid, seq) where attempts > 0;
drop index outbox_lane_seq;
`;
