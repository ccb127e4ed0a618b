import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { type Context, withTimeout } from "../context/index.ts";
import { AppError, type AppErrorOptions, type ErrorCode, hasCode } from "../errors/index.ts";
import { testContext } from "../testing/test-context.ts";
import { createBreaker } from "./breaker.ts";
import { createRetry } from "./retry.ts";
import { createRetryBudget } from "./retry-budget.ts";

/** Work that fails so often, and then is done. */
function work(failures: number, code: ErrorCode = "unavailable", options: AppErrorOptions = {}) {
  let attempts = 0;
  const run = async (): Promise<string> => {
    attempts++;
    if (attempts <= failures) throw new AppError(code, `failure ${attempts}`, options);
    return "done";
  };
  return { run, attempts: () => attempts };
}

function bench() {
  const retried: string[] = [];
  const budget = createRetryBudget();
  const retry = createRetry({ budget, onRetry: ({ message }) => retried.push(message) });
  return { retry, budget, retried };
}

/** Lets each pause pass at once, and tells how long it was to be. */
function pauses(t: TestContext): number[] {
  const asked: number[] = [];
  t.mock.method(globalThis, "setTimeout", (run: () => void, ms: number) => {
    asked.push(ms);
    return setImmediate(run);
  });
  return asked;
}

test("what fails is tried again, at most twice, and its last failure is thrown", async () => {
  const ctx = testContext();
  for (const code of ["unavailable", "timeout"] as const) {
    const { retry, retried } = bench();
    assert.equal(await retry.run(ctx, work(2, code).run), "done");
    assert.deepEqual(retried, ["failure 1", "failure 2"]);
  }
  const { retry } = bench();
  const failing = work(9);
  await assert.rejects(retry.run(ctx, failing.run), /failure 3/);
  assert.equal(failing.attempts(), 3);
});

test("pauses are random, up to 100 ms and then 200 ms, and come after what the failure asks for", async (t) => {
  const { retry } = bench();
  t.mock.method(Math, "random", () => 0.5);
  const asked = pauses(t);
  await retry.run(testContext(), work(2).run);
  await retry.run(testContext(), work(1, "unavailable", { retryAfterMs: 300 }).run);
  assert.deepEqual(asked, [50, 100, 350]);
});

for (const [what, failing] of [
  ["an answer", work(1, "not_found")],
  ["a bug", work(1, "internal")],
  ["a failure whose outcome is not known", work(1, "unavailable", { fields: { outcome: "unknown" } })],
] as const) {
  test(`${what} is not tried again`, async () => {
    const { retry } = bench();
    await assert.rejects(retry.run(testContext(), failing.run), /failure 1/);
    assert.equal(failing.attempts(), 1);
  });
}

test("what a breaker refused is not tried again", async () => {
  const { retry, retried } = bench();
  const ctx = testContext();
  const breaker = createBreaker({ name: "it" });
  const failing = work(99);
  for (let n = 0; n < 5; n++) await breaker.run(ctx, failing.run).catch(() => {});
  const startedAt = performance.now();
  await assert.rejects(
    retry.run(ctx, (ctx) => breaker.run(ctx, failing.run)),
    (thrown) => hasCode(thrown, "unavailable"),
  );
  assert.ok(performance.now() - startedAt < 500);
  assert.deepEqual([failing.attempts(), retried], [5, []]);
});

test("there is no other attempt when the pause would outlast the caller, and none for a caller that left", async () => {
  const { retry } = bench();
  const late = work(9, "unavailable", { retryAfterMs: 60_000 });
  await assert.rejects(
    withTimeout(testContext(), 1000, (ctx) => retry.run(ctx, late.run)),
    /failure 1/,
  );
  const ctx = testContext();
  const leaving = async (_: Context): Promise<never> => {
    ctx.cancel(new AppError("canceled", "the caller left"));
    throw new AppError("unavailable", "failure 1");
  };
  await assert.rejects(retry.run(ctx, leaving), /failure 1/);
});

test("a caller that leaves in a pause hears so at once", async () => {
  const { retry } = bench();
  const ctx = testContext();
  const running = retry.run(ctx, work(9, "unavailable", { retryAfterMs: 60_000 }).run);
  await new Promise((resolve) => setImmediate(resolve));
  ctx.cancel(new AppError("canceled", "the caller left"));
  await assert.rejects(running, /the caller left/);
});

test("of a dependency that is down a tenth of the calls are retries, and ten more", async (t) => {
  pauses(t);
  const { retry, retried } = bench();
  const ctx = testContext();
  for (let call = 0; call < 1000; call++) await retry.run(ctx, work(9).run).catch(() => {});
  assert.ok(retried.length >= 100 && retried.length <= 110, `${retried.length} retries`);
});

test("a budget is full at first, is spent, and is earned again by calls", () => {
  const budget = createRetryBudget();
  const spent = () => Array.from({ length: 20 }, () => budget.spend()).filter(Boolean).length;
  assert.equal(spent(), 10);
  for (let call = 0; call < 35; call++) budget.earn();
  assert.equal(spent(), 3);
  for (let call = 0; call < 1000; call++) budget.earn();
  assert.equal(spent(), 10);
});
