import assert from "node:assert/strict";
import test from "node:test";
import { type Context, orDone, withCancel, withTimeout } from "../context/index.ts";
import { AppError, type ErrorCode, hasCode } from "../errors/index.ts";
import { eventually } from "../testing/eventually.ts";
import { testContext } from "../testing/test-context.ts";
import { type Breaker, createBreaker } from "./breaker.ts";

const failing = (code: ErrorCode) => async (): Promise<string> => {
  throw new AppError(code, "as told");
};
const working = async (): Promise<string> => "done";
const stuck = (ctx: Context): Promise<never> => orDone(ctx, new Promise<never>(() => {}));

async function fail(ctx: Context, breaker: Breaker, code: ErrorCode, times: number): Promise<void> {
  for (let call = 0; call < times; call++) {
    await assert.rejects(breaker.run(ctx, failing(code)), (error) => hasCode(error, code));
  }
}

/** A breaker that has just opened. */
async function openBreaker(ctx: Context): Promise<{ breaker: Breaker; states: string[]; refused: () => number }> {
  const states: string[] = [];
  let refused = 0;
  const breaker = createBreaker({ name: "it", onChange: (state) => states.push(state), onRefused: () => refused++ });
  await fail(ctx, breaker, "unavailable", 5);
  assert.equal(breaker.state, "open");
  return { breaker, states, refused: () => refused };
}

const isRefusal = (error: unknown) =>
  hasCode(error, "unavailable") && error.fields.dependency === "it" && error.retryAfterMs !== undefined;

test("a closed breaker gives what the work gives, and throws what it throws", async () => {
  const ctx = testContext();
  const breaker = createBreaker({ name: "it" });
  assert.equal(await breaker.run(ctx, working), "done");
  await fail(ctx, breaker, "internal", 1);
  assert.equal(breaker.state, "closed");
});

for (const code of ["unavailable", "timeout", "internal"] as const) {
  test(`five answers of ${code} in a row open it`, async () => {
    const ctx = testContext();
    const breaker = createBreaker({ name: "it" });
    await fail(ctx, breaker, code, 4);
    assert.equal(breaker.state, "closed");
    await fail(ctx, breaker, code, 1);
    assert.equal(breaker.state, "open");
  });
}

test("what is thrown and is no error of ours counts as a bug, and opens it", async () => {
  const ctx = testContext();
  const breaker = createBreaker({ name: "it" });
  const broken = async () => {
    throw new TypeError("a bug");
  };
  for (let call = 0; call < 5; call++) await assert.rejects(breaker.run(ctx, broken), TypeError);
  assert.equal(breaker.state, "open");
});

test("answers that are no failures never open it", async () => {
  const ctx = testContext();
  const breaker = createBreaker({ name: "it" });
  for (const code of ["not_found", "invalid", "conflict", "stale", "rate_limited", "canceled"] as const) {
    await fail(ctx, breaker, code, 25);
  }
  assert.equal(breaker.state, "closed");
});

test("half of twenty calls open it, in whatever order they fail", async () => {
  const ctx = testContext();
  const breaker = createBreaker({ name: "it" });
  for (let call = 0; call < 10; call++) {
    await breaker.run(ctx, working);
    await fail(ctx, breaker, "unavailable", 1);
  }
  assert.equal(breaker.state, "open");
});

test("an open breaker refuses at once, says when to come back, and does not run the work", async () => {
  const ctx = testContext();
  const { breaker, refused } = await openBreaker(ctx);
  let ran = false;
  const work = async () => {
    ran = true;
  };
  const waits = new Set<number>();
  for (let call = 0; call < 20; call++) {
    await assert.rejects(breaker.run(ctx, work), (error) => {
      if (hasCode(error, "unavailable") && error.retryAfterMs !== undefined) waits.add(error.retryAfterMs);
      return isRefusal(error);
    });
  }
  assert.equal(ran, false);
  assert.equal(refused(), 20);
  assert.ok(waits.size > 1, "those who are refused come back at different times");
});

test("after a second one probe is let through, and its success closes it", async () => {
  const ctx = testContext();
  const { breaker, states } = await openBreaker(ctx);
  const openedAt = performance.now();
  await eventually(() => breaker.run(ctx, working).then(Boolean, () => false));
  const tookMs = performance.now() - openedAt;
  assert.ok(tookMs > 800 && tookMs < 2000, `closed after ${tookMs} ms`);
  assert.deepEqual(states, ["open", "half_open", "closed"]);
  await fail(ctx, breaker, "unavailable", 4);
  assert.equal(breaker.state, "closed");
});

test("a probe that fails keeps it open for another second", async () => {
  const ctx = testContext();
  const { breaker, states } = await openBreaker(ctx);
  await eventually(() => breaker.run(ctx, failing("timeout")).then(Boolean, (error) => hasCode(error, "timeout")));
  assert.deepEqual(states, ["open", "half_open", "open"]);
  await assert.rejects(breaker.run(ctx, working), isRefusal);
});

test("while a probe is on its way the others are refused, and a stuck one is followed by another after a second", async () => {
  const ctx = testContext();
  const { breaker } = await openBreaker(ctx);
  await withCancel(ctx, async (inner, cancel) => {
    let probes = 0;
    const probe = () =>
      breaker.run(inner, (inner) => {
        probes++;
        return stuck(inner);
      });
    const settled: Promise<unknown>[] = [];
    await eventually(() => {
      settled.push(probe().catch(() => {}));
      return probes === 1;
    });
    assert.equal(breaker.state, "half_open");
    await assert.rejects(breaker.run(ctx, working), isRefusal);
    await eventually(() => breaker.run(ctx, working).then(Boolean, () => false));
    assert.equal(breaker.state, "closed");
    cancel(new AppError("canceled", "enough"));
    await Promise.all(settled);
  });
});

test("a caller that leaves, or has no more time, says nothing about the dependency", async () => {
  const ctx = testContext();
  const breaker = createBreaker({ name: "it" });
  for (let call = 0; call < 25; call++) {
    await assert.rejects(
      withTimeout(ctx, 1, (inner) => breaker.run(inner, stuck)),
      (error) => hasCode(error, "timeout"),
    );
  }
  assert.equal(breaker.state, "closed");
});

test("a call that began before it opened can't close it", async () => {
  const ctx = testContext();
  const breaker = createBreaker({ name: "it" });
  let finish = (): void => {};
  const early = breaker.run(ctx, () => new Promise<void>((resolve) => (finish = resolve)));
  await fail(ctx, breaker, "unavailable", 5);
  finish();
  await early;
  assert.equal(breaker.state, "open");
});

test("a context that is done gets its own reason, whatever the state", async () => {
  const ctx = testContext();
  const { breaker, refused } = await openBreaker(ctx);
  ctx.cancel(new AppError("canceled", "gone"));
  await assert.rejects(breaker.run(ctx, working), (error) => hasCode(error, "canceled"));
  assert.equal(refused(), 0);
});
