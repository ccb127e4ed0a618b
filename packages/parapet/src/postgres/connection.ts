import { type Context, withTimeout } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import { parserOf } from "./column-parsers.ts";
import type { DriverQuery, DriverResult } from "./driver-client.ts";
import { sqlstateOf, unavailable } from "./sqlstate.ts";

export const CONNECT_TIMEOUT_MS = 2000;
const OLDEST_SERVER = 140000;

export interface ConnectionOptions {
  /** Shown by `pg_stat_activity` as `application_name`. */
  readonly service: string;
  /** The longest statement, wait for a lock and transaction that the server allows, in milliseconds; 0 is no limit. */
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  readonly transactionTimeoutMs: number;
}

const SESSION_SETTINGS = {
  // The text formats that the column parsers rely on.
  client_encoding: "UTF8",
  DateStyle: "ISO",
  IntervalStyle: "postgres",
  TimeZone: "UTC",
  idle_in_transaction_session_timeout: 10_000,
  // How the server notices that we are gone: a probe after 10 s, every 3 s, three times, and data not acknowledged for 15 s.
  tcp_keepalives_idle: 10,
  tcp_keepalives_interval: 3,
  tcp_keepalives_count: 3,
  tcp_user_timeout: 15_000,
};

/** The driver's settings for a connection. What the URL says itself goes before what we say; `invalid` when it is none. */
export function clientSettings(url: string, options: ConnectionOptions) {
  const settings = {
    ...SESSION_SETTINGS,
    statement_timeout: options.statementTimeoutMs,
    lock_timeout: options.lockTimeoutMs,
  };
  return {
    connectionString: withSessionSettings(url, settings),
    application_name: options.service,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: { getTypeParser: parserOf },
  };
}

function withSessionSettings(url: string, settings: Readonly<Record<string, string | number>>): string {
  // The error that the platform would throw holds the URL, and the URL a password.
  if (!URL.canParse(url)) throw new AppError("invalid", "the database url is not a url");
  const parsed = new URL(url);
  const ours = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
  // The driver would let `options` of the URL replace ours; both count, and the later one wins.
  parsed.searchParams.set("options", [...ours, parsed.searchParams.get("options") ?? ""].join(" ").trim());
  return parsed.href;
}

// Settings that not every server knows, so they can't travel with the login.
const CONFIGURE = `select current_setting('server_version_num')::int4 as version,
  (select count(set_config(name, case name when 'transaction_timeout' then $1 else $2 end, false))
   from pg_settings where name in ('transaction_timeout', 'client_connection_check_interval')) as applied`;

/** Runs one statement on a connection. */
export type RunQuery = (ctx: Context, query: DriverQuery) => Promise<DriverResult>;

/**
 * Prepares a connection that was just opened: refuses a server older than PostgreSQL 14 (`unavailable`), limits
 * transactions (PostgreSQL 17), and has the server look every second whether we are still there while it works for us.
 */
export function configureSession(ctx: Context, run: RunQuery, options: ConnectionOptions): Promise<void> {
  return withTimeout(ctx, CONNECT_TIMEOUT_MS, async (ctx) => {
    const configure = (checkIntervalMs: number) =>
      run(ctx, { text: CONFIGURE, values: [options.transactionTimeoutMs, checkIntervalMs] });
    // A server on Windows can't look whether its client is still there, and refuses to be asked to.
    const { rows } = await configure(1000).catch((thrown) => {
      if (sqlstateOf(thrown) !== "22023") throw thrown;
      return configure(0);
    });
    requireSupported(rows[0]);
  });
}

function requireSupported(row: unknown): void {
  const { version } = row as { readonly version: number };
  if (version >= OLDEST_SERVER) return;
  throw unavailable("the database server is older than postgresql 14", { fields: { server_version_num: version } });
}
