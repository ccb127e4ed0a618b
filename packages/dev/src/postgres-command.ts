import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { AppError } from "parapet/errors";
import type { Account } from "./postgres-account.ts";
import type { PostgresBinaries } from "./postgres-binaries.ts";

export interface PostgresCommand {
  readonly binaries: PostgresBinaries;
  readonly account: Account | undefined;
  readonly program: "initdb" | "postgres";
  readonly args: readonly string[];
  /** Where it runs: PostgreSQL insists on a folder that its account can read. */
  readonly cwd: string;
}

export type PostgresProcess = ChildProcessByStdio<null, null, Readable>;

/**
 * Starts one of PostgreSQL's programs as the account, in a process group of its own, so that Ctrl-C reaches it only
 * through us and after the services. Throws `unavailable` when it can't run here.
 */
export async function runPostgres(command: PostgresCommand): Promise<PostgresProcess> {
  const child = spawn(join(command.binaries.root, "bin", command.program), command.args, {
    ...command.account,
    cwd: command.cwd,
    env: cleanEnvironment(),
    detached: true,
    stdio: ["ignore", "ignore", "pipe"],
  });
  try {
    await once(child, "spawn");
    return child;
  } catch (cause) {
    throw new AppError(
      "unavailable",
      `PostgreSQL's ${command.program} can't run here: ${cause instanceof Error ? cause.message : cause}\n` +
        "  its binaries need glibc, and under root the right to change the user; " +
        "set DATABASE_URL to use a server of your own",
      { cause },
    );
  }
}

/** The environment without what would change PostgreSQL's settings, its language or its time zone. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name));
  return { ...Object.fromEntries(entries), LC_ALL: "C", TZ: "UTC" };
}
