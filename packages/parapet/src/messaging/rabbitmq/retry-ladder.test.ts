import assert from "node:assert/strict";
import test from "node:test";
import { createRegistry } from "../../metrics/index.ts";
import { eventually, rabbitSandbox, testContext } from "../../testing/index.ts";
import { RETRY_PAUSES_MS } from "../broker.ts";
import { createBroker } from "../create-broker.ts";

/** With the many seeds of a soak all of the ladder, which takes a quarter of an hour; else its first rungs. */
const isSoak = Number(process.env.SEEDS ?? 5) >= 100;
const PAUSES = isSoak ? RETRY_PAUSES_MS : RETRY_PAUSES_MS.slice(0, 2);
/** How much later than its time a message may come: of a busy machine. */
const LATE_MS = 3000;

test("E11: a message that fails each time comes again after each pause of the ladder, and never sooner", async (t) => {
  const { url, group: newGroup, parked } = await rabbitSandbox(t);
  const [ctx, group] = [testContext(), newGroup()];
  const broker = createBroker(url, { log: ctx.log, metrics: createRegistry() });
  t.after(() => broker.stop(testContext()).then(() => {}));
  await broker.start(ctx);
  const deliveries: { readonly failures: number; readonly at: number }[] = [];
  const type = `${group}.thing.made.v1`;
  const subscription = broker.subscribe({
    group,
    types: [type],
    prefetch: 1,
    handle: async ({ failures }) => {
      deliveries.push({ failures, at: performance.now() });
      return { kind: "retry", error: "unavailable: not now" };
    },
  });
  t.after(() => subscription.stop(testContext()).then(() => {}));
  await eventually(() => subscription.notTakingBecause() === undefined, 10_000);
  const attributes = { id: "id-1", type, source: "bench", key: "k", time: new Date(0), headers: {} };
  await broker.publish(ctx, { ...attributes, data: Buffer.from("{}") });
  for (const [index, pauseMs] of PAUSES.entries()) {
    await eventually(() => deliveries.length === index + 2, pauseMs + LATE_MS + 5000);
    const [before, after] = deliveries.slice(-2);
    const waitedMs = (after?.at ?? 0) - (before?.at ?? 0);
    t.diagnostic(`after failure ${index + 1} it came again in ${Math.round(waitedMs)} ms`);
    // RabbitMQ counts whole milliseconds.
    assert.ok(waitedMs >= pauseMs - 1 && waitedMs < pauseMs + LATE_MS, `${waitedMs} ms`);
    assert.equal(after?.failures, index + 1);
  }
  if (isSoak) await eventually(async () => (await parked(group)).length === 1, 10_000);
});
