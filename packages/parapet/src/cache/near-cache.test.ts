import assert from "node:assert/strict";
import test from "node:test";
import { keptEntry, NearCache, type NearEntry } from "./near-cache.ts";
import { found, missing } from "./outcome.ts";

const entryOf = (value: number, expiresAt = 1000): NearEntry<number> =>
  keptEntry({ outcome: found(value), costMs: 1 }, { token: "t", expiresAt, ttlMs: 1000 });

test("an empty near cache holds nothing, and what is kept is held until it expires", () => {
  const near = new NearCache<number>(10_000);
  assert.equal(near.get("a", 0), undefined);
  near.keep(near.mark("a"), entryOf(1));
  assert.deepEqual(near.get("a", 999)?.outcome, found(1));
  assert.equal(near.get("a", 1000), undefined);
  assert.equal(near.get("a", 0), undefined);
});

test("what was read before its key changed is not kept, whoever dropped it, and nothing is after a flush", () => {
  const near = new NearCache<number>(10_000);
  const [mark, other] = [near.mark("a"), near.mark("b")];
  near.drop("a");
  near.keep(mark, entryOf(1));
  near.keep(other, entryOf(2));
  assert.equal(near.get("a", 0), undefined);
  assert.deepEqual(near.get("b", 0)?.outcome, found(2));
  const before = near.mark("b");
  near.flush();
  assert.equal(near.isCurrent(before), false);
  near.keep(before, entryOf(3));
  assert.equal(near.get("b", 0), undefined);
});

test("it holds the ten thousand entries that were used last", () => {
  const near = new NearCache<number>(10_000);
  const keep = (n: number) => near.keep(near.mark(`k${n}`), entryOf(n));
  for (let n = 0; n < 10_000; n++) keep(n);
  near.get("k0", 0);
  keep(10_000);
  assert.notEqual(near.get("k0", 0), undefined);
  assert.equal(near.get("k1", 0), undefined);
});

test("an entry is refreshed before it expires, from its load's length or 5 % of its life on, and in its second half", () => {
  for (let round = 0; round < 1000; round++) {
    const { refreshAt } = entryOf(1);
    assert.ok(refreshAt >= 900 && refreshAt <= 950);
    const slow = keptEntry({ outcome: found(1), costMs: 400 }, { token: "t", expiresAt: 1000, ttlMs: 1000 });
    assert.ok(slow.refreshAt >= 500 && slow.refreshAt <= 600);
  }
});

test("that there is none is not refreshed", () => {
  const entry = keptEntry({ outcome: missing("none"), costMs: 1 }, { token: "t", expiresAt: 1000, ttlMs: 1000 });
  assert.equal(entry.refreshAt, Number.POSITIVE_INFINITY);
});
