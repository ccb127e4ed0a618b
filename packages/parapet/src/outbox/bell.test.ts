import assert from "node:assert/strict";
import test from "node:test";
import { AppError } from "../errors/index.ts";
import { testContext } from "../testing/index.ts";
import { Bell } from "./bell.ts";

test("who waits is woken by a ring, by one that came before, and by the time", async () => {
  const bell = new Bell();
  const ctx = testContext();
  const waiting = bell.next(ctx, 60_000);
  bell.ring();
  await waiting;
  bell.ring();
  await bell.next(ctx, 60_000);
  await bell.next(ctx, 1);
});

test("rings that nobody waited for wake once", async () => {
  const bell = new Bell();
  const ctx = testContext();
  bell.ring();
  bell.ring();
  await bell.next(ctx, 60_000);
  const startedAt = performance.now();
  await bell.next(ctx, 20);
  assert.ok(performance.now() - startedAt >= 18);
});

test("who waits leaves with its context", async () => {
  const bell = new Bell();
  const ctx = testContext();
  const gone = new AppError("canceled", "gone");
  const waiting = bell.next(ctx, 60_000);
  ctx.cancel(gone);
  await assert.rejects(waiting, gone);
  await assert.rejects(bell.next(ctx, 60_000), gone);
});
