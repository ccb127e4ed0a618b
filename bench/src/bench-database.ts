import { execFile } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { AppError } from "parapet/errors";
import pg from "pg";

/** A database that a run has for itself. */
export interface BenchDatabase {
  readonly url: string;
  /** Of the server. */
  readonly version: string;
  /** How many messages wait in the systems' outbox tables. */
  countMessages(): Promise<number>;
  /** How many transactions its clients have ended so far. Waits until they are gone, since the last ones count late. */
  countTransactions(): Promise<number>;
  /** Drops it, whoever is connected. */
  stop(): Promise<void>;
}

export interface BenchDatabaseOptions {
  readonly name: string;
  /** The bundle that migrates it. */
  readonly usersServer: string;
  /** Of the users that it has from the start. */
  readonly ids: readonly string[];
}

const TIMEOUT_MS = 30_000;
const LEAVE_TIMEOUT_MS = 2_000;
const POLL_MS = 25;

const OUTBOX_TABLE = `
  create table peer_outbox (
    id uuid primary key,
    aggregatetype text not null,
    aggregateid text not null,
    type text not null,
    payload jsonb not null,
    created_at timestamptz not null
  )`;

const USERS = `
  insert into users (id, name, email, email_key, version, created_at, updated_at)
  select id, 'User ' || n, 'user' || n || '@example.com', 'user' || n || '@example.com', 1, now, now
  from unnest($1::uuid[]) with ordinality as seeds (id, n), date_trunc('milliseconds', now()) as now`;

/**
 * Creates a database with the users service's schema, the peers' outbox, and a user for each id. Throws `unavailable`
 * when the server does not answer, and `invalid` when it may lose what it acknowledged.
 */
export async function createBenchDatabase(serverUrl: string, options: BenchDatabaseOptions): Promise<BenchDatabase> {
  const { name } = options;
  const server = await connect(serverUrl);
  const url = Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href;
  const stop = async () => {
    await server.query(`drop database if exists ${name} with (force)`).finally(() => server.end());
  };
  try {
    const version = await describeDurable(server);
    await server.query(`create database ${name}`);
    await fill(url, options);
    return {
      url,
      version,
      countMessages: () => withClient(url, countMessages),
      countTransactions: () => countTransactions(server, name),
      stop,
    };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

async function fill(url: string, { usersServer, ids }: BenchDatabaseOptions): Promise<void> {
  await promisify(execFile)(process.execPath, [usersServer, "migrate"], {
    env: { DATABASE_URL: url },
    timeout: TIMEOUT_MS,
  });
  await withClient(url, async (client) => {
    await client.query(OUTBOX_TABLE);
    await client.query(USERS, [ids]);
    await client.query("vacuum analyze");
  });
}

/** The version. Throws `invalid` for settings with which what is measured is no durable write. */
export async function describeDurable(server: pg.Client): Promise<string> {
  const { rows } = await server.query<{ version: string; fsync: string; synchronous_commit: string }>(
    `select current_setting('server_version') as version, current_setting('fsync') as fsync,
       current_setting('synchronous_commit') as synchronous_commit`,
  );
  const { version = "", fsync = "", synchronous_commit = "" } = rows[0] ?? {};
  if (fsync !== "on" || synchronous_commit !== "on") {
    throw new AppError("invalid", `the PostgreSQL has fsync ${fsync} and synchronous_commit ${synchronous_commit}`);
  }
  return `${version.split(" ", 1)[0]} (fsync ${fsync}, synchronous_commit ${synchronous_commit})`;
}

async function countMessages(client: pg.Client): Promise<number> {
  const { rows: tables } = await client.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
     where tablename like '%outbox%' and schemaname not in ('pg_catalog', 'information_schema')`,
  );
  let messages = 0;
  for (const { name } of tables) {
    const { rows } = await client.query<{ count: number }>(`select count(*)::int as count from ${name}`);
    messages += rows[0]?.count ?? 0;
  }
  return messages;
}

async function countTransactions(server: pg.Client, name: string): Promise<number> {
  const endsAt = performance.now() + LEAVE_TIMEOUT_MS;
  for (;;) {
    const { rows } = await server.query<{ transactions: number; clients: number }>(
      `select (xact_commit + xact_rollback)::float8 as transactions,
         (select count(*)::int from pg_stat_activity a where a.datname = d.datname and backend_type = 'client backend')
           as clients
       from pg_stat_database d where datname = $1`,
      [name],
    );
    const { transactions = 0, clients = 0 } = rows[0] ?? {};
    if (clients === 0 || performance.now() > endsAt) return transactions;
    await delay(POLL_MS);
  }
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connect(url);
  return work(client).finally(() => client.end());
}

/** Connects. Throws `unavailable`. */
export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
  });
  // Queries report it too.
  client.on("error", () => {});
  try {
    await client.connect();
    return client;
  } catch (cause) {
    throw new AppError("unavailable", "postgresql does not answer at DATABASE_URL, else 127.0.0.1:5432", { cause });
  }
}
