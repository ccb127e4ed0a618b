import { AppError } from "parapet/errors";
import pg from "pg";
import { hasErrno } from "./errno.ts";

// A server on another machine answers within a second or two, or not at all.
const CONNECT_TIMEOUT_MS = 10_000;
const DUPLICATE_DATABASE = "42P04";
const INSUFFICIENT_PRIVILEGE = "42501";

/**
 * Makes sure that the server behind `url` has these databases, and gives their URLs, in order. Throws `unavailable`
 * when it doesn't answer and `forbidden` when its user may not create one; neither message shows the URL's password.
 */
export async function ensureDatabases(url: string, names: readonly string[]): Promise<string[]> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: CONNECT_TIMEOUT_MS,
  });
  client.on("error", () => {});
  try {
    await connect(client, url);
    for (const name of names) await ensureDatabase(client, name);
  } finally {
    await client.end().catch(() => {});
  }
  return names.map((name) => Object.assign(new URL(url), { pathname: `/${encodeURIComponent(name)}` }).href);
}

/** A database URL as people may see it: host, port and database. */
export function shownUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

async function connect(client: pg.Client, url: string): Promise<void> {
  try {
    await client.connect();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message || cause.name : "";
    throw new AppError("unavailable", `the database server ${shownUrl(url)} can't be used: ${why}`, { cause });
  }
}

async function ensureDatabase(client: pg.Client, name: string): Promise<void> {
  const { rowCount } = await client.query("select 1 from pg_database where datname = $1", [name]);
  if (rowCount !== 0) return;
  try {
    await client.query(`create database ${client.escapeIdentifier(name)}`);
  } catch (cause) {
    if (hasErrno(cause, DUPLICATE_DATABASE)) return;
    if (!hasErrno(cause, INSUFFICIENT_PRIVILEGE)) throw cause;
    throw new AppError(
      "forbidden",
      `the user of DATABASE_URL may not create the database ${name}: create it yourself`,
      {
        cause,
      },
    );
  }
}
