import { type Context, withTimeout } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import { parserOf } from "./column-parsers.ts";
import type { DriverQuery, DriverResult } from "./driver-client.ts";
import type { FailoverWatch } from "./failover-watch.ts";
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
  /** Is told of each connection, and of each statement that a read-only server refuses. */
  readonly failover?: FailoverWatch;
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

/** The driver's settings for a connection; `invalid` when the URL is none. */
export function clientSettings(url: string, { service }: ConnectionOptions) {
  // The error that the platform would throw holds the URL, and the URL a password.
  if (!URL.canParse(url)) throw new AppError("invalid", "the database url is not a url");
  return {
    connectionString: url,
    application_name: service,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: { getTypeParser: parserOf },
  };
}

/** What a session is set to, by name. What the URL says itself goes before what we say. */
function sessionSettings(url: string, options: ConnectionOptions, checkIntervalMs: number): Map<string, string> {
  const settings = {
    ...SESSION_SETTINGS,
    statement_timeout: options.statementTimeoutMs,
    lock_timeout: options.lockTimeoutMs,
    transaction_timeout: options.transactionTimeoutMs,
    client_connection_check_interval: checkIntervalMs,
  };
  const theirs = namesIn(new URL(url).searchParams);
  const ours = Object.entries(settings).filter(([name]) => !theirs.has(name.toLowerCase()));
  return new Map(ours.map(([name, value]) => [name, String(value)]));
}

const OPTION_NAME = /(?:-c\s*|--)([\w.-]+)\s*=/g;

/** The settings that are named by a URL, in `?options=-c%20lock_timeout%3D500` or by themselves. */
function namesIn(parameters: URLSearchParams): ReadonlySet<string> {
  const options = [...(parameters.get("options") ?? "").matchAll(OPTION_NAME)];
  const names = [...parameters.keys(), ...options.map(([, name = ""]) => name.replaceAll("-", "_"))];
  return new Set(names.map((name) => name.toLowerCase()));
}

// Not with the login: a server refuses what it does not know, and a pooler before it knows next to nothing.
const CONFIGURE = `select current_setting('server_version_num')::int4 as version,
  current_setting('transaction_read_only')::bool as read_only,
  (select count(set_config(name, said, false)) from unnest($1::text[], $2::text[]) as settings (name, said)
   join pg_settings using (name)) as applied`;

/** Runs one statement on a connection. */
export type RunQuery = (ctx: Context, query: DriverQuery) => Promise<DriverResult>;

/**
 * Prepares a connection that was just opened: refuses a server older than PostgreSQL 14 (`unavailable`), sets the session's
 * limits and formats, and has the server look every second whether we are still there while it works for us.
 */
export function configureSession(
  ctx: Context,
  run: RunQuery,
  options: ConnectionOptions & { readonly url: string },
): Promise<void> {
  return withTimeout(ctx, CONNECT_TIMEOUT_MS, async (ctx) => {
    const configure = (checkIntervalMs: number) => {
      const settings = sessionSettings(options.url, options, checkIntervalMs);
      return run(ctx, { text: CONFIGURE, values: [[...settings.keys()], [...settings.values()]] });
    };
    // A server on Windows can't look whether its client is still there, and refuses to be asked to.
    const { rows } = await configure(1000).catch((thrown) => {
      if (sqlstateOf(thrown) !== "22023") throw thrown;
      return configure(0);
    });
    const { version, read_only } = rows[0] as { readonly version: number; readonly read_only: boolean };
    requireSupported(version);
    options.failover?.connected(read_only);
  });
}

function requireSupported(version: number): void {
  if (version >= OLDEST_SERVER) return;
  throw unavailable("the database server is older than postgresql 14", { fields: { server_version_num: version } });
}
