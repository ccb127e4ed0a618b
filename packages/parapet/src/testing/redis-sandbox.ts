import { randomBytes } from "node:crypto";
import { createClient } from "@redis/client";
import { AppError } from "../errors/index.ts";
import type { TestScope } from "./test-scope.ts";

export interface RedisSandbox {
  readonly url: string;
  /** What the test's keys begin with; pass it as the cache's `service`. */
  readonly prefix: string;
  /** Runs a command, and gives what Redis says to it. */
  command(...args: readonly string[]): Promise<unknown>;
}

const DEFAULT_SERVER = "redis://127.0.0.1:6379";

/** For the `skip` of a test that needs a Redis: why there is none, when the run said so by an empty `REDIS_URL`. */
export const withoutRedis: string | false = process.env.REDIS_URL === "" && "needs a redis, and none answers";
const CONNECT_TIMEOUT_MS = 2000;

/**
 * A prefix of its own on the Redis of `REDIS_URL` (or 127.0.0.1:6379), whose keys are removed after the test. Others use that
 * server too: a test that flushes, stops or reconfigures it takes `ownRedis` instead.
 */
export async function redisSandbox(t: TestScope): Promise<RedisSandbox> {
  const url = process.env.REDIS_URL || DEFAULT_SERVER;
  const prefix = `parapet_test_${randomBytes(6).toString("hex")}`;
  const redis = await connect(url);
  t.after(async () => {
    for await (const keys of redis.scanIterator({ MATCH: `${prefix}:*`, COUNT: 1000 })) {
      if (keys.length > 0) await redis.unlink(keys);
    }
    redis.destroy();
  });
  return { url, prefix, command: (...args) => redis.sendCommand([...args]) };
}

async function connect(url: string) {
  const redis = createClient({
    url,
    disableClientInfo: true,
    socket: { connectTimeout: CONNECT_TIMEOUT_MS, reconnectStrategy: false },
  });
  redis.on("error", () => {});
  await redis.connect().catch((cause: unknown) => {
    redis.destroy();
    throw new AppError(
      "unavailable",
      "tests need a redis server, and none answers: start one on 127.0.0.1:6379, or set REDIS_URL",
      { cause },
    );
  });
  return redis;
}
