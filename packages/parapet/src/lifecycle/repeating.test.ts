import assert from "node:assert/strict";
import test from "node:test";
import { sleep } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import { eventually, type TestScope, testContext } from "../testing/index.ts";
import { createRepeating, type RepeatingOptions } from "./repeating.ts";

function repeating(t: TestScope, round: RepeatingOptions["round"], everyMs = 5) {
  const ctx = testContext();
  const component = createRepeating({ name: "sweep", log: ctx.log, everyMs, timeoutMs: 50, round });
  t.after(() => component.stop(ctx).then(() => {}));
  return { ctx, component };
}

test("it runs round after round, and at once while there is more to do", async (t) => {
  let rounds = 0;
  const { ctx, component } = repeating(t, async () => ++rounds < 5, 200);
  const startedAt = performance.now();
  await component.start(ctx);
  await eventually(() => rounds >= 5);
  assert.ok(performance.now() - startedAt < 200 * 4, "one wait, not five");
  await eventually(() => rounds > 5);
});

test("a round that fails, or takes too long, is logged once, costs a longer wait and ends nothing", async (t) => {
  const at: number[] = [];
  const failures = [
    () => Promise.reject(new AppError("unavailable", "away")),
    (ctx: Parameters<RepeatingOptions["round"]>[0]) => sleep(ctx, 60_000),
  ];
  const { ctx, component } = repeating(t, async (ctx) => {
    at.push(performance.now());
    await failures.shift()?.(ctx);
    return false;
  });
  await component.start(ctx);
  await eventually(() => at.length >= 4);
  const [first = 0, second = 0, third = 0] = at;
  assert.ok(second - first >= 2 * 5 * 0.8 - 1 && third - second >= 50, at.join());
  const logged = ctx.lines.filter(({ msg }) => msg === "a background round failed");
  assert.deepEqual(
    logged.map(({ level, component }) => [level, component]),
    [
      ["warn", "sweep"],
      ["debug", "sweep"],
    ].slice(0, logged.length),
  );
  assert.ok(logged.length >= 1);
});

test("stopped while a round runs, it cancels the round and waits for it", async (t) => {
  let state = "waiting";
  const { ctx, component } = repeating(t, async (ctx) => {
    state = "running";
    await sleep(ctx, 60_000).catch(() => {});
    state = "ended";
    return true;
  });
  await component.start(ctx);
  await eventually(() => state === "running");
  await component.stop(ctx);
  assert.equal(state, "ended");
});

test("stopped before it was started, or between two rounds, it has nothing to wait for", async (t) => {
  const { ctx, component } = repeating(t, async () => false, 60_000);
  await component.stop(ctx);
  await component.start(ctx);
  await component.stop(ctx);
});
