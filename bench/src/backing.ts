import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type BenchDatabase, createBenchDatabase } from "./bench-database.ts";
import { createBenchKeys } from "./bench-keys.ts";
import { seedIds } from "./seed-ids.ts";
import type { Addresses } from "./systems.ts";

/** The database and the keys that a run has for itself, with users in it. */
export interface Backing {
  readonly addresses: Addresses;
  readonly database: BenchDatabase;
  readonly redisVersion: string;
  /** Of the users that are there from the start. */
  readonly ids: readonly string[];
  /** Files with ids, one a line: of the users that are asked for often, and of all. */
  readonly hotIdsFile: string;
  readonly allIdsFile: string;
  /** What was asked of both so far. */
  count(): Promise<{ readonly transactions: number; readonly commands: number }>;
  /** Drops the database and deletes the keys. */
  stop(): Promise<void>;
}

export const STANDARD_DATABASE_URL = "postgres://postgres@127.0.0.1:5432/postgres";
const STANDARD_REDIS_URL = "redis://127.0.0.1:6379";
const USERS = 10_000;
const HOT_USERS = 1_000;

/**
 * Makes a database with users at `DATABASE_URL` and finds the Redis at `REDIS_URL`, else at the standard ports.
 * Throws `unavailable` when one of them does not answer, `invalid` when PostgreSQL may lose what it acknowledged.
 */
export async function createBacking(
  env: NodeJS.ProcessEnv,
  { usersServer, folder }: { readonly usersServer: string; readonly folder: string },
): Promise<Backing> {
  const tag = randomBytes(4).toString("hex");
  const ids = seedIds(USERS, tag);
  const hotIdsFile = await writeLines(join(folder, "hot-ids"), ids.slice(0, HOT_USERS));
  const allIdsFile = await writeLines(join(folder, "all-ids"), ids);

  const redisUrl = env.REDIS_URL || STANDARD_REDIS_URL;
  const keys = await createBenchKeys(redisUrl, tag);
  try {
    const databaseOptions = { name: `parapet_bench_${tag}`, usersServer, ids };
    const database = await createBenchDatabase(env.DATABASE_URL || STANDARD_DATABASE_URL, databaseOptions);
    return {
      addresses: { databaseUrl: database.url, redisUrl, keyPrefix: keys.prefix },
      database,
      redisVersion: keys.version,
      ids,
      hotIdsFile,
      allIdsFile,
      count: async () => ({
        transactions: await database.countTransactions(),
        commands: await keys.countCommands(),
      }),
      stop: () => database.stop().finally(() => keys.stop()),
    };
  } catch (thrown) {
    await keys.stop();
    throw thrown;
  }
}

async function writeLines(file: string, lines: readonly string[]): Promise<string> {
  await writeFile(file, `${lines.join("\n")}\n`);
  return file;
}
