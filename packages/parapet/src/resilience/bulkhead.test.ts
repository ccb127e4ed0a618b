import assert from "node:assert/strict";
import test from "node:test";
import { type Context, sleep, withTimeout } from "../context/index.ts";
import { AppError, hasCode } from "../errors/index.ts";
import { seededRandom } from "../testing/seeded-random.ts";
import { testContext } from "../testing/test-context.ts";
import { type Bulkhead, type BulkheadOptions, createBulkhead } from "./bulkhead.ts";

const bulkheadOf = (options: Partial<BulkheadOptions> = {}): Bulkhead =>
  createBulkhead({ name: "it", limit: 1, queue: 10, maxWaitMs: 5000, ...options });

/** Takes a place in the bulkhead until `leave` is called. */
function occupy(ctx: Context, bulkhead: Bulkhead): { leave: () => void; left: Promise<void> } {
  let leave = (): void => {};
  const work = new Promise<void>((resolve) => (leave = resolve));
  return { leave, left: bulkhead.run(ctx, () => work) };
}

const isRefusal = (error: unknown) =>
  hasCode(error, "unavailable") && error.fields.dependency === "it" && error.retryAfterMs !== undefined;

test("a bulkhead gives what the work gives, throws what it throws, and is empty afterwards", async () => {
  const ctx = testContext();
  const bulkhead = bulkheadOf();
  assert.equal(await bulkhead.run(ctx, async () => 7), 7);
  const failing = async () => {
    throw new AppError("conflict", "as told");
  };
  await assert.rejects(bulkhead.run(ctx, failing), (error) => hasCode(error, "conflict"));
  assert.deepEqual([bulkhead.running, bulkhead.waiting], [0, 0]);
});

test("those who wait come in as others leave, in the order in which they came", async () => {
  const ctx = testContext();
  const bulkhead = bulkheadOf();
  const first = occupy(ctx, bulkhead);
  const order: number[] = [];
  const waiters = [1, 2, 3].map((n) => bulkhead.run(ctx, async () => order.push(n)));
  assert.deepEqual([bulkhead.running, bulkhead.waiting], [1, 3]);
  first.leave();
  await Promise.all(waiters);
  assert.deepEqual(order, [1, 2, 3]);
  assert.deepEqual([bulkhead.running, bulkhead.waiting], [0, 0]);
});

test("who comes just as a place is handed on does not get ahead of those who wait", async () => {
  const ctx = testContext();
  const bulkhead = bulkheadOf();
  const order: string[] = [];
  const first = occupy(ctx, bulkhead);
  const waiter = bulkhead.run(ctx, async () => order.push("waiter"));
  first.leave();
  await first.left;
  await Promise.all([bulkhead.run(ctx, async () => order.push("late")), waiter]);
  assert.deepEqual(order, ["waiter", "late"]);
});

test("with a full queue the next is refused at once; with a queue of none it is the first", async () => {
  const ctx = testContext();
  for (const queue of [0, 1, 5]) {
    const bulkhead = bulkheadOf({ queue });
    const first = occupy(ctx, bulkhead);
    const waiters = Array.from({ length: queue }, () => bulkhead.run(ctx, async () => {}));
    await assert.rejects(
      bulkhead.run(ctx, async () => {}),
      isRefusal,
    );
    first.leave();
    await Promise.all(waiters);
  }
});

test("a wait ends after the longest that it may take", async () => {
  const ctx = testContext();
  const bulkhead = bulkheadOf({ maxWaitMs: 50 });
  const first = occupy(ctx, bulkhead);
  const startedAt = performance.now();
  await assert.rejects(
    bulkhead.run(ctx, async () => {}),
    isRefusal,
  );
  const waitedMs = performance.now() - startedAt;
  assert.ok(waitedMs >= 49 && waitedMs < 1000, `waited ${waitedMs} ms`);
  assert.equal(bulkhead.waiting, 0);
  first.leave();
  await first.left;
});

test("a caller whose context ends while it waits leaves the queue at once, and its place goes to the next", async () => {
  const ctx = testContext();
  const bulkhead = bulkheadOf({ queue: 2 });
  const first = occupy(ctx, bulkhead);
  const gone = withTimeout(ctx, 10, (inner) => bulkhead.run(inner, async () => assert.fail("it had left")));
  const next = bulkhead.run(ctx, async () => "in");
  await assert.rejects(gone, (error) => hasCode(error, "timeout"));
  assert.equal(bulkhead.waiting, 1);
  first.leave();
  assert.equal(await next, "in");
  assert.deepEqual([bulkhead.running, bulkhead.waiting], [0, 0]);
});

test("a caller whose context is done takes neither a place nor a turn", async () => {
  const ctx = testContext();
  ctx.cancel(new AppError("canceled", "gone"));
  const bulkhead = bulkheadOf();
  await assert.rejects(
    bulkhead.run(ctx, async () => assert.fail()),
    (error) => hasCode(error, "canceled"),
  );
  assert.deepEqual([bulkhead.running, bulkhead.waiting], [0, 0]);
});

test("limits that make no sense are a bug", () => {
  for (const options of [{ limit: 0 }, { limit: 1.5 }, { queue: -1 }, { limit: Number.NaN }]) {
    assert.throws(
      () => bulkheadOf(options),
      (error) => hasCode(error, "internal"),
    );
  }
});

test("whatever happens, no more than the limit run, no more than the queue wait, and nothing is left behind", async (t) => {
  const random = seededRandom(t);
  for (let round = 0; round < 20; round++) {
    const ctx = testContext();
    const [limit, queue] = [1 + random.below(5), random.below(8)];
    const bulkhead = bulkheadOf({ limit, queue, maxWaitMs: 1 + random.below(20) });
    let running = 0;
    const work = async (inner: Context) => {
      running++;
      assert.ok(running <= limit && bulkhead.running <= limit && bulkhead.waiting <= queue);
      try {
        if (random.chance(0.7)) await sleep(inner, random.below(6));
        if (random.chance(0.2)) throw new AppError("conflict", "as told");
      } finally {
        running--;
      }
    };
    const caller = async () => {
      await sleep(ctx, random.below(15));
      await withTimeout(ctx, 1 + random.below(15), (inner) => bulkhead.run(inner, work));
    };
    const settled = await Promise.allSettled(Array.from({ length: 60 }, caller));
    for (const result of settled) {
      assert.ok(result.status === "fulfilled" || hasCode(result.reason, "conflict", "timeout", "unavailable"));
    }
    assert.deepEqual([bulkhead.running, bulkhead.waiting, running], [0, 0, 0]);
  }
});
