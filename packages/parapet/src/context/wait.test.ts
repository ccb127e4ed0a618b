import assert from "node:assert/strict";
import { test } from "node:test";
import { AppError, hasCode } from "../errors/index.ts";
import { createLogger } from "../log/index.ts";
import { rootContext, withTimeout } from "./context.ts";
import { orDone, sleep } from "./wait.ts";

const testRoot = () => rootContext(createLogger({ service: "test", level: "error", sink: { write: () => {} } }));
const gone = new AppError("canceled", "the caller is gone");
const never = new Promise<never>(() => {});

test("a promise that settles first decides", async () => {
  assert.equal(await orDone(testRoot(), Promise.resolve(42)), 42);
  await assert.rejects(orDone(testRoot(), Promise.reject(gone)), gone);
});

test("a context that ends while a promise is waited for decides", async () => {
  const root = testRoot();
  const waiting = orDone(root, never);
  root.cancel(gone);
  await assert.rejects(waiting, gone);
  await assert.rejects(orDone(root, never), gone);
});

test("a promise that fails after its wait ended disturbs nobody", async () => {
  const root = testRoot();
  let fail = (_: Error) => {};
  const late = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const waiting = orDone(root, late);
  root.cancel(gone);
  await assert.rejects(waiting, gone);
  fail(new Error("late"));
  await new Promise((resolve) => setImmediate(resolve));
});

test("a sleep lasts its time", async () => {
  const begin = performance.now();
  await sleep(testRoot(), 30);
  // Timers may be early by a fraction of a millisecond.
  assert.ok(performance.now() - begin > 28);
});

test("a sleep ends early with its context, aborted while waiting or before", async () => {
  const root = testRoot();
  const sleeping = sleep(root, 60_000);
  root.cancel(gone);
  await assert.rejects(sleeping, gone);
  await assert.rejects(sleep(root, 60_000), gone);
  await assert.rejects(
    withTimeout(testRoot(), 20, (ctx) => sleep(ctx, 60_000)),
    (error) => hasCode(error, "timeout"),
  );
});

test("a sleep longer than timers can hold does not end at once", async () => {
  await assert.rejects(
    withTimeout(testRoot(), 20, (ctx) => sleep(ctx, Number.POSITIVE_INFINITY)),
    (error) => hasCode(error, "timeout"),
  );
});

test("waits leave no timer behind", async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const before = timers();
  const root = testRoot();
  await orDone(root, Promise.resolve());
  const sleeping = sleep(root, 60_000);
  assert.equal(timers(), before + 1);
  root.cancel(gone);
  await assert.rejects(sleeping, gone);
  assert.equal(timers(), before);
});
