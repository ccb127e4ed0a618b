import assert from "node:assert/strict";
import test from "node:test";
import { type Context, orDone, withTimeout } from "../context/index.ts";
import { AppError, hasCode } from "../errors/index.ts";
import { testContext } from "../testing/test-context.ts";
import { createTimeout } from "./timeout.ts";

const stuck = (ctx: Context): Promise<never> => orDone(ctx, new Promise<never>(() => {}));

test("work that is done in time gives what it gives, and throws what it throws", async () => {
  const timeout = createTimeout({ name: "it", timeoutMs: 1000 });
  assert.equal(await timeout.run(testContext(), async () => "done"), "done");
  const failure = new AppError("not_found", "no such thing");
  await assert.rejects(
    timeout.run(testContext(), () => Promise.reject(failure)),
    failure,
  );
});

test("work that takes longer is told to stop, and its timeout says whom it was of", async () => {
  const timeout = createTimeout({ name: "it", timeoutMs: 20 });
  await assert.rejects(
    timeout.run(testContext(), stuck),
    (thrown) => hasCode(thrown, "timeout") && thrown.fields.dependency === "it",
  );
});

test("a deadline of the caller's own is none of the dependency's", async () => {
  const timeout = createTimeout({ name: "it", timeoutMs: 60_000 });
  await assert.rejects(
    withTimeout(testContext(), 20, (ctx) => timeout.run(ctx, stuck)),
    (thrown) => hasCode(thrown, "timeout") && thrown.fields.dependency === undefined,
  );
});
