import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AppError, hasCode } from "../errors/index.ts";
import { createLogger } from "../log/index.ts";
import { type Context, rootContext } from "./context.ts";
import { group } from "./group.ts";
import { sleep } from "./wait.ts";

const testRoot = () => rootContext(createLogger({ service: "test", level: "error", sink: { write: () => {} } }));
const broken = new AppError("unavailable", "the dependency is away");
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

test("a group of nothing gives nothing", async () => {
  assert.deepEqual(await group(testRoot(), { limit: 3 }, []), []);
});

test("results are in the order of the tasks, never more than the limit run at once, and the limit is used", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(4), { maxLength: 20 }), fc.integer({ min: 1, max: 8 }), async (turns, limit) => {
      let running = 0;
      let most = 0;
      const tasks = turns.map((turn, index) => async () => {
        most = Math.max(most, ++running);
        for (let i = 0; i < turn; i++) await nextTurn();
        running--;
        return index;
      });
      const results = await group(testRoot(), { limit }, tasks);
      assert.deepEqual(results, [...turns.keys()]);
      assert.ok(most <= limit);
      if (turns.length > 0 && turns.every((turn) => turn > 0)) assert.equal(most, Math.min(limit, turns.length));
    }),
    { numRuns: 100 },
  );
});

test("the first failure cancels the others, which are awaited, and no further task starts", async () => {
  const log: string[] = [];
  const stubborn = async (ctx: Context) => {
    await sleep(ctx, 60_000).catch((reason) => {
      log.push(hasCode(reason, "canceled") && reason.cause === broken ? "canceled" : "other");
    });
    await nextTurn();
    log.push("awaited");
  };
  const failing = async () => {
    await nextTurn();
    throw broken;
  };
  const never = async () => void log.push("started");
  await assert.rejects(group(testRoot(), { limit: 2 }, [stubborn, failing, never, never]), broken);
  assert.deepEqual(log, ["canceled", "awaited"]);
});

test("a failure that is not an error object is thrown as it is", async () => {
  await assert.rejects(
    group(testRoot(), { limit: 1 }, [() => Promise.reject(undefined)]),
    (thrown) => thrown === undefined,
  );
});

test("a task that throws before its first wait fails like any other", async () => {
  const throwing = () => {
    throw broken;
  };
  await assert.rejects(group(testRoot(), { limit: 2 }, [throwing, throwing]), broken);
});

test("tasks are taken one by one, and their source failing is a failure of the group", async () => {
  let awaited = false;
  function* source() {
    yield async (ctx: Context) => {
      await sleep(ctx, 60_000).catch(nextTurn);
      awaited = true;
    };
    throw broken;
  }
  await assert.rejects(group(testRoot(), { limit: 2 }, source()), broken);
  assert.ok(awaited);
});

test("a group whose caller leaves stops, starts nothing more, and throws why", async () => {
  const root = testRoot();
  const gone = new AppError("canceled", "the caller is gone");
  let started = 0;
  const task = async (ctx: Context) => {
    started++;
    root.cancel(gone);
    await sleep(ctx, 60_000);
  };
  await assert.rejects(group(root, { limit: 1 }, [task, task]), gone);
  assert.equal(started, 1);
  await assert.rejects(group(root, { limit: 1 }, [task]), gone);
  assert.equal(started, 1);
});

test("a limit that lets nothing run is a bug", async () => {
  for (const limit of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    await assert.rejects(group(testRoot(), { limit }, []), (error) => hasCode(error, "internal"));
  }
});
