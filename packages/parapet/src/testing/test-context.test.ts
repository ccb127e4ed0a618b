import assert from "node:assert/strict";
import { test } from "node:test";
import { withTimeout } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import { testContext } from "./test-context.ts";

test("what is logged through the context, and through any derived from it, can be read as objects", async () => {
  const ctx = testContext();
  ctx.log.debug("looked around");
  await withTimeout(ctx.withFields({ user_id: "u1" }), 1_000, async (ctx) => {
    ctx.log.warn("saw something", { size_cm: 3 });
  });
  assert.deepEqual(
    ctx.lines.map(({ level, msg, user_id, size_cm }) => ({ level, msg, user_id, size_cm })),
    [
      { level: "debug", msg: "looked around", user_id: undefined, size_cm: undefined },
      { level: "warn", msg: "saw something", user_id: "u1", size_cm: 3 },
    ],
  );
});

test("two contexts share no lines", () => {
  const first = testContext();
  const second = testContext();
  first.log.info("hello");
  assert.deepEqual([first.lines.length, second.lines.length], [1, 0]);
});

test("it ends when the test cancels it", () => {
  const ctx = testContext();
  assert.equal(ctx.done, undefined);
  const reason = new AppError("canceled", "the caller is gone");
  ctx.cancel(reason);
  assert.equal(ctx.done, reason);
});
