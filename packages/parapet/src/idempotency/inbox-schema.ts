/**
 * The tables of those who consume messages, for a service's migrations: `{ id: "0002_inbox", sql: inboxSchema }`. The text never
 * changes, since migrations are held to their checksums.
 */
export const inboxSchema = `
create table inbox (
  consumer text not null,
  message_id text not null check (char_length(message_id) <= 255),
  at timestamptz not null default now(),
  constraint inbox_pkey primary key (consumer, message_id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
create index inbox_at on inbox (at);

create table inbox_starts (
  consumer text not null,
  message_id text not null check (char_length(message_id) <= 255),
  starts integer not null,
  at timestamptz not null default now(),
  constraint inbox_starts_pkey primary key (consumer, message_id)
);
`;
