import { readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { hasErrno } from "./errno.ts";

/** What a server says of itself in its data folder's `postmaster.pid`. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly ready: boolean;
}

// Long enough for a starved machine; a live server on loopback answers in milliseconds.
const PROBE_TIMEOUT_MS = 5_000;

/** The server that has the data folder, or had it when it was killed; undefined when none is named. */
export async function readPostmaster(dir: string): Promise<Postmaster | undefined> {
  try {
    // Lines as of PostgreSQL 10: pid, data folder, start time, port, socket folder, address, shared memory, status.
    const lines = (await readFile(join(dir, "postmaster.pid"), "utf8")).split("\n");
    const [pid, port] = [Number(lines[0]), Number(lines[3])];
    return pid > 0 && port > 0 ? { pid, port, ready: lines[7]?.trim() === "ready" } : undefined;
  } catch (thrown) {
    // A folder that is no data folder, or not ours to read, is refused with more words where it is prepared.
    if (hasErrno(thrown, "ENOENT", "ENOTDIR", "EACCES")) return undefined;
    throw thrown;
  }
}

export type Answer = "ready" | "not yet" | "nobody";

/** Asks whoever listens on the port whether it is the server of this data folder. */
export async function askServer(dir: string, port: number): Promise<Answer> {
  const client = new pg.Client({
    connectionString: superuserUrl(port),
    connectionTimeoutMillis: PROBE_TIMEOUT_MS,
    query_timeout: PROBE_TIMEOUT_MS,
  });
  // A connection that breaks between two steps must not end this process.
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ dir: string }>("select current_setting('data_directory') as dir");
    return (await realpath(rows[0]?.dir ?? "")) === (await realpath(dir)) ? "ready" : "nobody";
  } catch (thrown) {
    // 57P03: it starts, recovers or shuts down.
    return hasErrno(thrown, "57P03") ? "not yet" : "nobody";
  } finally {
    await client.end().catch(() => {});
  }
}

/** Where the server on this port is reached, as its superuser, who needs no password on loopback. */
export function superuserUrl(port: number): string {
  return `postgres://postgres@127.0.0.1:${port}/postgres`;
}
