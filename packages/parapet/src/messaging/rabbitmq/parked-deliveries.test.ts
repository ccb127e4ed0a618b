import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { hasCode } from "../../errors/index.ts";
import { createRegistry } from "../../metrics/index.ts";
import { eventually, faultProxy, rabbitSandbox, testContext } from "../../testing/index.ts";
import type { Delivery, Verdict } from "../broker.ts";
import { createBroker } from "../create-broker.ts";
import { type ParkedDelivery, parkedDeliveries } from "./parked-deliveries.ts";
import { queuesOf } from "./topology.ts";

/** A group that parks what its handler is asked to. */
async function parkingGroup(t: TestContext) {
  const { url, channel, group: newGroup } = await rabbitSandbox(t);
  const group = newGroup();
  const type = `${group}.thing.made.v1`;
  const ctx = testContext();
  const broker = createBroker(url, { log: ctx.log, metrics: createRegistry() });
  t.after(() => broker.stop(testContext()).then(() => {}));
  await broker.start(ctx);
  const handled: Delivery[] = [];
  const state = { verdict: { kind: "park", error: "invalid: no such thing" } as Verdict };
  const subscription = broker.subscribe({
    group,
    types: [type],
    prefetch: 10,
    handle: async (delivery) => {
      handled.push(delivery);
      return state.verdict;
    },
  });
  t.after(() => subscription.stop(testContext()).then(() => {}));
  await eventually(() => subscription.notTakingBecause() === undefined, 10_000);
  const publish = async (id: string) => {
    const attributes = { id, type, source: "bench", key: "k", time: new Date(0), headers: { traceparent: "00-ab" } };
    await broker.publish(ctx, { ...attributes, data: Buffer.from(`"${id}"`) });
  };
  const park = async (...ids: readonly string[]) => {
    for (const id of ids) await publish(id);
    await eventually(async () => (await countOf(queuesOf(group).parking)) === ids.length, 10_000);
    handled.length = 0;
  };
  const countOf = async (queue: string) => (await channel.checkQueue(queue)).messageCount;
  const walk = async (act: (parked: ParkedDelivery) => unknown = () => {}) => {
    const seen: ParkedDelivery[] = [];
    for await (const parked of parkedDeliveries(ctx, { url, group })) {
      seen.push(parked);
      await act(parked);
    }
    return seen;
  };
  return { url, group, type, handled, state, park, walk, channel };
}

const idsOf = (parked: readonly ParkedDelivery[]) => parked.map(({ message }) => message.id);

test("what is parked is shown with why, oldest first, and stays in its place however often it is looked at", async (t) => {
  const { park, walk, type } = await parkingGroup(t);
  await park("a", "b", "c");
  // RabbitMQ 4 throws away what was delivered twenty times, unless its queue is made to keep it.
  for (let look = 0; look < 25; look++) assert.deepEqual(idsOf(await walk()), ["a", "b", "c"]);
  const [first = assert.fail("nothing is parked"), , last] = await walk();
  assert.deepEqual(
    [first.failures, first.error, first.remaining, last?.remaining],
    [1, "invalid: no such thing", 2, 0],
  );
  assert.ok(Math.abs(Number(first.failedAt) - Date.now()) < 60_000, `${first.failedAt}`);
  const { id, key, source, time, data, headers } = first.message;
  assert.deepEqual(
    { id, type: first.message.type, key, source, time, data: data.toString(), headers },
    { id: "a", type, key: "k", source: "bench", time: new Date(0), data: '"a"', headers: { traceparent: "00-ab" } },
  );
});

test("what is replayed is handled as if it had never failed, under its id or a new one; the rest stays", async (t) => {
  const { park, walk, state, handled } = await parkingGroup(t);
  await park("a", "b", "c");
  state.verdict = { kind: "done" };
  await walk(async ({ message: { id }, replay }) => {
    if (id === "a") await replay();
    if (id === "b") await replay("b-2");
  });
  await eventually(() => handled.length === 2);
  const arrived = handled.map(({ message, failures, isRedelivered }) => [message.id, failures, isRedelivered]);
  assert.deepEqual(arrived, [
    ["a", 0, false],
    ["b-2", 0, false],
  ]);
  assert.deepEqual(idsOf(await walk()), ["c"]);
});

test("what is replayed and parked again meanwhile is not met a second time", async (t) => {
  const { park, walk } = await parkingGroup(t);
  await park("a", "b");
  assert.deepEqual(idsOf(await walk(({ replay }) => replay())), ["a", "b"]);
  await eventually(async () => (await walk()).length === 2);
});

test("what is dropped is gone when the loop is, also when it is left early", async (t) => {
  const { park, walk, url, group } = await parkingGroup(t);
  await park("a", "b", "c");
  for await (const { drop } of parkedDeliveries(testContext(), { url, group })) {
    drop();
    break;
  }
  assert.deepEqual(idsOf(await walk()), ["b", "c"]);
  const failing = walk(({ message: { id }, drop }) => {
    if (id === "c") throw new Error("the loop failed");
    drop();
  });
  await assert.rejects(failing, /the loop failed/);
  assert.deepEqual(idsOf(await walk()), ["c"]);
});

test("a message that somebody else put there is shown with what is known of it", async (t) => {
  const { walk, channel, group } = await parkingGroup(t);
  const { parking, main } = queuesOf(group);
  channel.sendToQueue(parking, Buffer.from("?"));
  const deaths = [{ reason: "delivery_limit", queue: main, exchange: "events", count: 1 }];
  channel.sendToQueue(parking, Buffer.from("!"), { headers: { "x-death": deaths } });
  await eventually(async () => (await walk()).length === 2);
  assert.deepEqual(
    (await walk()).map(({ message: { id }, error, failures, failedAt }) => [id, error, failures, failedAt]),
    [
      [undefined, "somebody put it here, and did not say why", 0, undefined],
      [undefined, "the broker put it here: delivery_limit", 0, undefined],
    ],
  );
});

test("a group that is not there, a broker that is away or silent, and a wrong url are told apart", async (t) => {
  const { url, group } = await parkingGroup(t);
  const proxy = await faultProxy(t, url);
  const begin = (options: { readonly url: string; readonly group: string }) =>
    parkedDeliveries(testContext(), options).next();
  await assert.rejects(begin({ url, group: "nobody_here" }), (thrown) => {
    assert.match(String(thrown), /there is no group nobody_here: the broker has no queue q\.nobody_here\.parking/);
    return hasCode(thrown, "not_found");
  });
  await assert.rejects(begin({ url: "http://127.0.0.1", group }), (thrown) => hasCode(thrown, "invalid"));
  await proxy.refuse();
  await assert.rejects(begin({ url: proxy.url, group }), (thrown) => hasCode(thrown, "unavailable"));
  await proxy.pass();
  const walk = parkedDeliveries(testContext(), { url: proxy.url, group });
  await proxy.blackhole();
  await assert.rejects(walk.next(), (thrown) => hasCode(thrown, "timeout", "unavailable"));
});
