import { once } from "node:events";
import { chown, mkdir, readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError } from "parapet/errors";
import { hasErrno } from "./errno.ts";
import { LogTail } from "./log-tail.ts";
import { makeWhole } from "./make-whole.ts";
import { settled } from "./poll.ts";
import type { Account } from "./postgres-account.ts";
import type { PostgresBinaries } from "./postgres-binaries.ts";
import { runPostgres } from "./postgres-command.ts";

// initdb takes 0.4 s on a laptop; a minute is for a starved machine.
const INITDB_TIMEOUT_MS = 60_000;

export interface ClusterOptions {
  readonly binaries: PostgresBinaries;
  readonly account: Account | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Makes sure that `dir` holds a data folder this PostgreSQL can open, and makes one where there is none: UTF-8, the C
 * locale, everybody on loopback trusted. Throws `conflict` when something else is there, saying what to do.
 */
export async function prepareCluster(dir: string, options: ClusterOptions): Promise<void> {
  const version = await clusterVersion(dir);
  if (version === undefined) return createCluster(dir, options);
  if (version !== options.binaries.major) {
    throw new AppError(
      "conflict",
      `the data folder ${dir} is of PostgreSQL ${version}, and this is PostgreSQL ${options.binaries.major}\n` +
        `  keep its data with version ${version}'s pg_dump, or start anew: ${howToStartAnew(dir)}`,
    );
  }
}

/** The line that tells people how to get rid of a data folder. */
export function howToStartAnew(dir: string): string {
  return `move it away (mv '${dir}' '${dir}.old') or delete it (rm -r '${dir}'), then start again`;
}

async function clusterVersion(dir: string): Promise<string | undefined> {
  try {
    return (await readFile(join(dir, "PG_VERSION"), "utf8")).trim();
  } catch (thrown) {
    if (!hasErrno(thrown, "ENOENT", "ENOTDIR")) throw closedFolder(dir, thrown);
    if (await isFree(dir)) return undefined;
    throw new AppError("conflict", `${dir} is in the way: it is no PostgreSQL data folder\n  ${howToStartAnew(dir)}`);
  }
}

async function isFree(dir: string): Promise<boolean> {
  try {
    return (await readdir(dir)).length === 0;
  } catch (thrown) {
    if (hasErrno(thrown, "ENOENT")) return true;
    if (hasErrno(thrown, "ENOTDIR")) return false;
    throw closedFolder(dir, thrown);
  }
}

const closedFolder = (dir: string, cause: unknown): AppError =>
  new AppError(
    "forbidden",
    `the data folder ${dir} can't be read: it was made by another user\n  start as that user, or ${howToStartAnew(dir)}`,
    { cause },
  );

async function createCluster(dir: string, options: ClusterOptions): Promise<void> {
  try {
    await mkdir(dirname(dir), { recursive: true });
    await makeWhole(dir, async (staging) => {
      await mkdir(staging, { mode: 0o700 });
      if (options.account !== undefined) await chown(staging, options.account.uid, options.account.gid);
      await initdb(staging, options);
    });
  } catch (cause) {
    if (!hasErrno(cause, "EACCES", "EPERM", "EROFS", "ENOSPC", "ENOTDIR", "EINVAL")) throw cause;
    throw new AppError("unavailable", `no data folder could be made at ${dir}: ${(cause as Error).message}`, { cause });
  }
}

async function initdb(dir: string, { binaries, account, signal }: ClusterOptions): Promise<void> {
  const args = ["-D", dir, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"];
  const child = await runPostgres({ binaries, account, program: "initdb", args, cwd: dir });
  const tail = new LogTail(child.stderr);
  const end = () => child.kill("SIGTERM");
  signal?.addEventListener("abort", end);
  const closed = await settled(once(child, "close"), INITDB_TIMEOUT_MS);
  signal?.removeEventListener("abort", end);
  signal?.throwIfAborted();
  if (closed === undefined) child.kill("SIGKILL");
  if (closed?.[0] !== 0) {
    const why = closed === undefined ? "it took longer than a minute" : `it ended with ${closed[0] ?? closed[1]}`;
    throw new AppError("unavailable", `no data folder could be made at ${dir}: ${why}${tail.text()}`);
  }
}
