import assert from "node:assert/strict";
import test from "node:test";
import { orDone, withTimeout } from "../context/index.ts";
import { AppError, hasCode } from "../errors/index.ts";
import { eventually } from "../testing/eventually.ts";
import { testContext } from "../testing/test-context.ts";
import { Flights } from "./flights.ts";

/** A piece of work that ends when told. */
function pending(): { work: () => Promise<string>; finish: (value: string) => void; fail: (reason: Error) => void } {
  const ends = { finish: (_value: string) => {}, fail: (_reason: Error) => {} };
  const promise = new Promise<string>((resolve, reject) => Object.assign(ends, { finish: resolve, fail: reject }));
  return { work: () => promise, finish: (value) => ends.finish(value), fail: (reason) => ends.fail(reason) };
}

test("who comes while a flight is on its way joins it; who comes when it has landed starts another", async () => {
  const ctx = testContext();
  const flights = new Flights<string>(ctx.log);
  const { work, finish } = pending();
  const both = Promise.all([flights.join(ctx, "a", work), flights.join(ctx, "a", async () => "not run")]);
  assert.equal(await flights.join(ctx, "b", async () => "b"), "b");
  finish("a");
  assert.deepEqual(await both, ["a", "a"]);
  assert.equal(flights.has("a"), false);
  assert.equal(await flights.join(ctx, "a", async () => "again"), "again");
});

test("a failure is everybody's, and the next one starts anew", async () => {
  const ctx = testContext();
  const flights = new Flights<string>(ctx.log);
  const { work, fail } = pending();
  const both = Promise.allSettled([flights.join(ctx, "a", work), flights.join(ctx, "a", work)]);
  const reason = new AppError("unavailable", "away");
  fail(reason);
  assert.ok((await both).every((result) => result.status === "rejected" && result.reason === reason));
  assert.equal(await flights.join(ctx, "a", async () => "again"), "again");
});

test("each leaves with its own context, and the last one ends the flight", async () => {
  const ctx = testContext();
  const flights = new Flights<string>(ctx.log);
  let reason: AppError | undefined;
  const join = (ms: number) =>
    withTimeout(ctx, ms, (inner) =>
      flights.join(inner, "a", (flight) => {
        flight.onDone((why) => {
          reason = why;
        });
        return orDone(flight, new Promise(() => {}));
      }),
    );
  const [first, second] = [join(10), join(60)];
  await assert.rejects(first, (error) => hasCode(error, "timeout"));
  assert.equal(reason, undefined);
  await assert.rejects(second, (error) => hasCode(error, "timeout"));
  assert.ok(hasCode(reason, "canceled"));
  assert.equal(flights.has("a"), false);
});

test("work that does not heed its context is left behind after five seconds", async () => {
  const ctx = testContext();
  const flights = new Flights<string>(ctx.log);
  const startedAt = performance.now();
  await assert.rejects(
    flights.join(ctx, "a", () => new Promise(() => {})),
    (error) => hasCode(error, "timeout"),
  );
  assert.ok(performance.now() - startedAt > 4900);
});

test("whoever comes after a flight was detached starts another, and neither ends the other", async () => {
  const ctx = testContext();
  const flights = new Flights<string>(ctx.log);
  const [old, young] = [pending(), pending()];
  const before = flights.join(ctx, "a", old.work);
  flights.detach("a");
  const after = flights.join(ctx, "a", young.work);
  old.finish("old");
  assert.equal(await before, "old");
  assert.equal(flights.has("a"), true);
  flights.detachAll();
  young.finish("young");
  assert.equal(await after, "young");
  await eventually(() => !flights.has("a"));
});
