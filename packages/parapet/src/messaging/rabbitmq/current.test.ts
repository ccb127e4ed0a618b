import assert from "node:assert/strict";
import test from "node:test";
import { AppError } from "../../errors/index.ts";
import { testContext } from "../../testing/index.ts";
import { Current } from "./current.ts";

test("what is there is given at once, and what is not yet when it comes", async () => {
  const current = new Current<{ n: number }>();
  const [one, other] = [current.next(testContext()), current.next(testContext())];
  current.set({ n: 1 });
  assert.deepEqual(await Promise.all([one, other, current.next(testContext())]), [{ n: 1 }, { n: 1 }, { n: 1 }]);
});

test("what is gone is not given, but the next one is", async () => {
  const current = new Current<{ n: number }>();
  current.set({ n: 1 });
  current.clear();
  const next = current.next(testContext());
  current.set({ n: 2 });
  assert.deepEqual(await next, { n: 2 });
});

test("who waits leaves with its context", async () => {
  const current = new Current<{ n: number }>();
  const ctx = testContext();
  const next = current.next(ctx);
  const gone = new AppError("canceled", "the caller is gone");
  ctx.cancel(gone);
  await assert.rejects(next, gone);
});
