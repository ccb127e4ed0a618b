import assert from "node:assert/strict";
import test from "node:test";
import { AppError, hasCode } from "../errors/index.ts";
import { Replayed, testContext, testOnce } from "../testing/index.ts";
import { MemoryOnceTransactions } from "./memory-once-transactions.ts";

/** Something that is kept in memory, and changed in transactions. */
function bench() {
  const transactions = new MemoryOnceTransactions();
  const ctx = testContext();
  const state = { kept: [] as readonly string[] };
  const add = (what: string, key?: string, { fails = false, fingerprint = "same" } = {}) =>
    transactions.run(ctx, {
      work: async () => {
        state.kept = [...state.kept, what];
        await new Promise((resolve) => setImmediate(resolve));
        if (fails) throw new AppError("conflict", "as told");
        return what;
      },
      remember: () => {
        const before = state.kept;
        return () => {
          state.kept = before;
        };
      },
      once: testOnce<string>(key, fingerprint),
    });
  return { ctx, state, add };
}

test("transactions run one after the other, and one that fails leaves all as it was", async () => {
  const { state, add } = bench();
  const [first, second, third] = [add("a"), add("b", undefined, { fails: true }), add("c")];
  assert.equal(await first, "a");
  await assert.rejects(second, (thrown) => hasCode(thrown, "conflict"));
  assert.equal(await third, "c");
  assert.deepEqual(state.kept, ["a", "c"]);
});

test("a claim that comes again is replayed, also while the first is under way; one that failed is free again", async () => {
  const { state, add } = bench();
  const outcomes = await Promise.allSettled([
    add("a", "k"),
    add("b", "k"),
    add("c", "l", { fails: true }),
    add("d", "l"),
  ]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["fulfilled", "rejected", "rejected", "fulfilled"],
  );
  const [, again] = outcomes;
  assert.ok(again?.status === "rejected" && again.reason instanceof Replayed && again.reason.reply === "a");
  assert.deepEqual(state.kept, ["a", "d"]);
});

test("a key that was used for something else is refused, and a caller that is gone changes nothing", async () => {
  const { ctx, state, add } = bench();
  await add("a", "k");
  await assert.rejects(add("b", "k", { fingerprint: "another" }), (thrown) => hasCode(thrown, "invalid"));
  ctx.cancel(new AppError("canceled", "the caller is gone"));
  await assert.rejects(add("c"), /the caller is gone/);
  assert.deepEqual(state.kept, ["a"]);
});
