import assert from "node:assert/strict";
import test from "node:test";
import { hasCode } from "../errors/index.ts";
import { ownRedis } from "./own-redis.ts";
import { redisSandbox, withoutRedis } from "./redis-sandbox.ts";
import type { TestScope } from "./test-scope.ts";

/** A scope that is closed by hand. */
function scope(): TestScope & { close(): Promise<void> } {
  const closers: (() => void | Promise<void>)[] = [];
  return {
    after: (close) => closers.push(close),
    close: async () => {
      for (const close of closers) await close();
    },
  };
}

test("a sandbox leaves none of its keys behind, and touches no others", { skip: withoutRedis }, async (t) => {
  const outer = await redisSandbox(t);
  const inner = scope();
  const { prefix, command } = await redisSandbox(inner);
  assert.notEqual(prefix, outer.prefix);
  await command("SET", `${prefix}:a`, "1");
  await command("SET", `${outer.prefix}:a`, "1");
  await inner.close();
  assert.equal(await outer.command("EXISTS", `${prefix}:a`), 0);
  assert.equal(await outer.command("EXISTS", `${outer.prefix}:a`), 1);
});

test("without a server the sandbox says what is needed", async (t) => {
  const { REDIS_URL } = process.env;
  process.env.REDIS_URL = "redis://127.0.0.1:1";
  try {
    await assert.rejects(redisSandbox(t), (error) => hasCode(error, "unavailable") && /REDIS_URL/.test(error.message));
  } finally {
    if (REDIS_URL === undefined) delete process.env.REDIS_URL;
    else process.env.REDIS_URL = REDIS_URL;
  }
});

test("a server of one's own can be killed, comes again empty on the same port, and is gone after the test", async (t) => {
  const own = scope();
  const redis = await ownRedis({ after: own.after, skip: (reason) => t.skip(reason) });
  if (redis === undefined) return;
  const { url } = redis;
  await redis.command("SET", "a", "1");
  await redis.kill();
  await assert.rejects(redis.command("PING"));
  await redis.restart();
  assert.equal(redis.url, url);
  assert.equal(await redis.command("EXISTS", "a"), 0);
  await own.close();
  await assert.rejects(redis.command("PING"));
});
