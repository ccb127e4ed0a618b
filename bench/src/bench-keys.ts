import { Redis } from "ioredis";
import { AppError } from "parapet/errors";

/** The part of a Redis that a run has for itself. */
export interface BenchKeys {
  readonly version: string;
  /** What the run's keys begin with, where a system lets us choose. */
  readonly prefix: string;
  /** How many commands the server has processed so far, whoever sent them. */
  countCommands(): Promise<number>;
  /** Deletes all keys that have the tag in their names. */
  stop(): Promise<void>;
}

const TIMEOUT_MS = 5_000;
const KEYS_A_STEP = 1_000;

/** Connects to a Redis. All keys of the run have the tag in their names. Throws `unavailable` without an answer. */
export async function createBenchKeys(url: string, tag: string): Promise<BenchKeys> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: TIMEOUT_MS,
    commandTimeout: TIMEOUT_MS,
    retryStrategy: () => null,
  });
  // Commands report it too.
  redis.on("error", () => {});
  try {
    await redis.connect();
    const [, version = "unknown"] = /^redis_version:(\S+)/m.exec(await redis.info("server")) ?? [];
    return {
      version,
      prefix: `bench:${tag}:`,
      countCommands: () => countCommands(redis),
      stop: () => deleteTagged(redis, tag).finally(() => redis.disconnect()),
    };
  } catch (cause) {
    redis.disconnect();
    throw new AppError("unavailable", "redis does not answer at REDIS_URL, else 127.0.0.1:6379", { cause });
  }
}

async function countCommands(redis: Redis): Promise<number> {
  return Number(/^total_commands_processed:(\d+)/m.exec(await redis.info("stats"))?.[1]);
}

async function deleteTagged(redis: Redis, tag: string): Promise<void> {
  let cursor = "0";
  do {
    const [next, keys] = await redis.scan(cursor, "MATCH", `*${tag}*`, "COUNT", KEYS_A_STEP);
    if (keys.length > 0) await redis.unlink(...keys);
    cursor = next;
  } while (cursor !== "0");
}
