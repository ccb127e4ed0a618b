import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { withTimeout } from "../../context/index.ts";
import { hasCode } from "../../errors/index.ts";
import { createRegistry } from "../../metrics/index.ts";
import {
  eventually,
  faultProxy,
  ownRabbit,
  type RecordedContext,
  rabbitSandbox,
  testContext,
} from "../../testing/index.ts";
import type { Broker, Delivery, Verdict } from "../broker.ts";
import { createBroker } from "../create-broker.ts";
import type { Message } from "../message.ts";
import { FAILURES } from "./amqp-message.ts";
import { queuesOf } from "./topology.ts";

const DONE: Verdict = { kind: "done" };

/** A started broker that goes by a URL, stopped after the test. */
async function started(t: TestContext, url: string, ctx: RecordedContext): Promise<Broker> {
  const broker = createBroker(url, { log: ctx.log, metrics: createRegistry() });
  t.after(() => broker.stop(testContext()).then(() => {}));
  await broker.start(ctx);
  return broker;
}

/** Subscribes a group to its own type, and records what comes. */
function recorder(
  t: TestContext,
  broker: Broker,
  group: string,
  verdictOn: (delivery: Delivery) => Verdict = () => DONE,
) {
  const ids: string[] = [];
  const subscription = broker.subscribe({
    group,
    types: [typeOf(group)],
    prefetch: 10,
    handle: async (delivery) => {
      ids.push(delivery.message.id ?? "none");
      return verdictOn(delivery);
    },
  });
  t.after(() => subscription.stop(testContext()).then(() => {}));
  const taking = (withinMs: number) => eventually(() => subscription.notTakingBecause() === undefined, withinMs);
  return { ids, subscription, taking };
}

function typeOf(group: string): string {
  return `${group}.thing.made.v1`;
}

function message(group: string, n: number): Message {
  const data = Buffer.from(JSON.stringify({ n }));
  return { id: `id-${n}`, type: typeOf(group), source: "bench", key: "key", time: new Date(0), data, headers: {} };
}

/** Has the queues of a group made, and takes nothing. */
async function subscribeOnce(t: TestContext, url: string, group: string): Promise<void> {
  const ctx = testContext();
  const { taking, subscription } = recorder(t, await started(t, url, ctx), group);
  await taking(20_000);
  await subscription.drain(ctx);
  await subscription.stop(ctx);
}

/** Publishes until the broker has it, as the relay does. */
async function publishInTheEnd(broker: Broker, sent: Message): Promise<void> {
  await eventually(
    () =>
      broker.publish(testContext(), sent).then(
        () => true,
        (thrown) => {
          assert.ok(hasCode(thrown, "unavailable"), String(thrown));
          return false;
        },
      ),
    60_000,
  );
}

test("E1: a broker that is down at start is found within five seconds of its return", async (t) => {
  const { url, group: newGroup } = await rabbitSandbox(t);
  const [ctx, group] = [testContext(), newGroup()];
  const proxy = await faultProxy(t, url);
  await proxy.refuse();
  const broker = await started(t, proxy.url, ctx);
  const { ids, taking, subscription } = recorder(t, broker, group);
  await assert.rejects(broker.publish(ctx, message(group, 1)), (thrown) => hasCode(thrown, "unavailable"));
  assert.equal(subscription.notTakingBecause(), "the broker was not reached yet");
  await proxy.pass();
  await taking(5000);
  await broker.publish(ctx, message(group, 2));
  await eventually(() => ids.length === 1);
  assert.deepEqual(ids, ["id-2"]);
});

test("E4: after a reset both connections are back within two seconds, and what was unconfirmed is known to be", async (t) => {
  const { url, group: newGroup } = await rabbitSandbox(t);
  const [ctx, group] = [testContext(), newGroup()];
  const proxy = await faultProxy(t, url);
  const broker = await started(t, proxy.url, ctx);
  const { ids, taking } = recorder(t, broker, group);
  await taking(10_000);
  await broker.publish(ctx, message(group, 0));
  // The publish arrives, its confirm does not.
  await proxy.blackhole();
  const unconfirmed = broker.publish(ctx, message(group, 1));
  const refused = assert.rejects(unconfirmed, (thrown) => hasCode(thrown, "unavailable"));
  await proxy.pass();
  proxy.reset();
  await refused;
  await taking(2000);
  await publishInTheEnd(broker, message(group, 1));
  await eventually(() => ids.includes("id-1"));
});

test("E5: a peer that falls silent is given up after two heartbeats, and another connection made", async (t) => {
  const { url, group: newGroup } = await rabbitSandbox(t);
  const [ctx, group] = [testContext(), newGroup()];
  const proxy = await faultProxy(t, `${url}?heartbeat=1`);
  const broker = await started(t, proxy.url, ctx);
  const { ids, taking, subscription } = recorder(t, broker, group);
  await taking(10_000);
  await proxy.blackhole();
  await eventually(() => subscription.notTakingBecause() !== undefined, 10_000);
  await proxy.pass();
  proxy.reset();
  await taking(5000);
  await publishInTheEnd(broker, message(group, 1));
  await eventually(() => ids.length === 1);
});

test("E7: what a queue refuses is told, and taken again once there is room", async (t) => {
  const { url, channel } = await rabbitSandbox(t);
  const ctx = testContext();
  const type = `test_${process.pid}_${Date.now()}.thing.made.v1`;
  const broker = await started(t, url, ctx);
  // What a queue of one message has, that a group's has with a gigabyte.
  const full = { "x-max-length": 1, "x-overflow": "reject-publish" };
  const { queue } = await channel.assertQueue("", { exclusive: true, arguments: full });
  await channel.assertExchange("events", "topic", { durable: true });
  await channel.bindQueue(queue, "events", type);
  const of = (n: number) => ({ ...message("any", n), type });
  await broker.publish(ctx, of(1));
  await eventually(() =>
    broker.publish(ctx, of(2)).then(
      () => false,
      (thrown) => hasCode(thrown, "unavailable"),
    ),
  );
  await channel.purgeQueue(queue);
  await broker.publish(ctx, of(3));
});

test("E9: a queue that is there with other arguments is left alone, and the log names both", async (t) => {
  const { url, group: newGroup, channel } = await rabbitSandbox(t);
  const [ctx, group] = [testContext(), newGroup()];
  await channel.assertQueue(queuesOf(group).main, { durable: true });
  const broker = await started(t, url, ctx);
  const { subscription } = recorder(t, broker, group);
  const isTold = () => ctx.lines.some(({ msg }) => msg === "no messages are taken");
  await eventually(isTold, 10_000);
  const told = JSON.stringify(ctx.lines.find(({ msg }) => msg === "no messages are taken"));
  assert.match(told, new RegExp(`${queuesOf(group).main}`));
  assert.match(told, /x-queue-type|x-dead-letter-exchange|x-overflow|x-max-length-bytes|x-delivery-limit/);
  assert.match(subscription.notTakingBecause() ?? "", /can't be used as they are/);
  assert.equal((await channel.checkQueue(queuesOf(group).main)).messageCount, 0);
});

test("E11: a message that failed after the last pause is parked, with its last error", async (t) => {
  const { url, group: newGroup, channel, parked } = await rabbitSandbox(t);
  const [ctx, group] = [testContext(), newGroup()];
  const broker = await started(t, url, ctx);
  const { ids, taking } = recorder(t, broker, group, () => ({ kind: "retry", error: "unavailable: not now" }));
  await taking(10_000);
  channel.sendToQueue(queuesOf(group).main, Buffer.from("{}"), { messageId: "id-1", headers: { [FAILURES]: 5 } });
  await eventually(async () => (await parked(group)).length === 1);
  assert.deepEqual([ids, await parked(group)], [["id-1"], [{ id: "id-1", error: "unavailable: not now" }]]);
});

test("E15: a queue that was deleted is there again, and taken from, within five seconds", async (t) => {
  const { url, group: newGroup, channel } = await rabbitSandbox(t);
  const [ctx, group] = [testContext(), newGroup()];
  const broker = await started(t, url, ctx);
  const { ids, taking, subscription } = recorder(t, broker, group);
  await taking(10_000);
  await channel.deleteQueue(queuesOf(group).main);
  await eventually(() => subscription.notTakingBecause() !== undefined);
  await taking(5000);
  await broker.publish(ctx, message(group, 1));
  await eventually(() => ids.length === 1);
});

test("a context ends the wait for a confirm, and no message is lost track of", async (t) => {
  const { url, group: newGroup } = await rabbitSandbox(t);
  const [ctx, group] = [testContext(), newGroup()];
  const proxy = await faultProxy(t, url);
  const broker = await started(t, proxy.url, ctx);
  const { ids, taking } = recorder(t, broker, group);
  await taking(10_000);
  await broker.publish(ctx, message(group, 0));
  await proxy.blackhole();
  const late = withTimeout(ctx, 50, (ctx) => broker.publish(ctx, message(group, 1)));
  await assert.rejects(late, (thrown) => hasCode(thrown, "timeout"));
  await proxy.pass();
  await eventually(() => ids.length === 2);
});

test("a server that a test may break", async (t) => {
  const rabbit = await ownRabbit(t);
  if (rabbit === undefined) return;
  await subscribeOnce(t, rabbit.url, "crash");

  await t.test(
    "E3: while the broker takes nothing, publishers wait, consumers go on, and a stop is not held up",
    async (t) => {
      const ctx = testContext();
      const [broker, other] = [await started(t, rabbit.url, ctx), await started(t, rabbit.url, ctx)];
      const { ids, taking } = recorder(t, broker, "blocked", () => ({ kind: "done" }));
      await taking(20_000);
      await broker.publish(ctx, message("blocked", 0));
      await eventually(() => ids.length === 1);
      await rabbit.ctl("set_vm_memory_high_watermark", "0.0000001");
      // The broker says so only to who publishes.
      const waiting = [1, 2, 3].map((n) => broker.publish(ctx, message("blocked", n)));
      const stopped = other.publish(ctx, message("blocked", 4));
      const refused = assert.rejects(stopped, (thrown) => hasCode(thrown, "unavailable"));
      const isBlocked = () => ctx.lines.filter(({ msg }) => msg === "the broker takes no messages now").length === 2;
      await eventually(isBlocked, 20_000);
      const stoppingAt = performance.now();
      await other.stop(testContext());
      assert.ok(performance.now() - stoppingAt < 2000);
      await refused;
      await rabbit.ctl("set_vm_memory_high_watermark", "0.6");
      await Promise.all(waiting);
      await eventually(() => ids.length >= 4, 20_000);
      assert.deepEqual(
        [...new Set(ids)].filter((id) => id !== "id-4"),
        ["id-0", "id-1", "id-2", "id-3"],
      );
    },
  );

  await t.test("E8: an exchange that was deleted is declared again, over another channel", async (t) => {
    const ctx = testContext();
    const broker = await started(t, rabbit.url, ctx);
    const { ids, taking } = recorder(t, broker, "exchange");
    await taking(20_000);
    await broker.publish(ctx, message("exchange", 0));
    await rabbit.ctl(
      "eval",
      'rabbit_exchange:delete(rabbit_misc:r(<<"/">>, exchange, <<"events">>), false, <<"test">>).',
    );
    await assert.rejects(broker.publish(ctx, message("exchange", 1)), (thrown) => hasCode(thrown, "unavailable"));
    // Its bindings are gone with it: until the group declares them again nobody takes the message, and its publisher hears so.
    await assert.rejects(broker.publish(ctx, message("exchange", 1)), (thrown) => hasCode(thrown, "not_found"));
    assert.deepEqual(ids, ["id-0"]);
  });

  await t.test(
    "E14: when the server gives up on a handler that hangs, messages are taken again, and that one comes again",
    async (t) => {
      const setTimes = (timeoutMs: number, tickMs: number) =>
        rabbit.ctl(
          "eval",
          `[application:set_env(rabbit, K, V) || {K, V} <- [{consumer_timeout, ${timeoutMs}}, {channel_tick_interval, ${tickMs}}]].`,
        );
      await setTimes(1000, 500);
      t.after(() => setTimes(1_800_000, 60_000));
      const ctx = testContext();
      const broker = await started(t, rabbit.url, ctx);
      const deliveries: boolean[] = [];
      const hung: ((verdict: Verdict) => void)[] = [];
      const subscription = broker.subscribe({
        group: "hang",
        types: [typeOf("hang")],
        prefetch: 1,
        handle: ({ isRedelivered }) => {
          deliveries.push(isRedelivered);
          if (deliveries.length > 1) return Promise.resolve(DONE);
          return new Promise((resolve) => hung.push(resolve));
        },
      });
      t.after(() => subscription.stop(testContext()).then(() => {}));
      await eventually(() => subscription.notTakingBecause() === undefined, 20_000);
      // The bindings of others went with the exchange, and not this one's.
      await publishInTheEnd(broker, message("hang", 0));
      await eventually(() => deliveries.length === 2, 20_000);
      assert.deepEqual(deliveries, [false, true]);
      assert.equal(subscription.notTakingBecause(), undefined);
      for (const settle of hung) settle(DONE);
    },
  );

  // Last, when its queue is old enough to survive.
  await t.test("E2: what was confirmed is there after a crash of the server, and all goes on", async (t) => {
    const ctx = testContext();
    const broker = await started(t, rabbit.url, ctx);
    // The bindings went with the exchange.
    await subscribeOnce(t, rabbit.url, "crash");
    for (const n of [0, 1, 2]) await broker.publish(ctx, message("crash", n));
    await rabbit.kill();
    await assert.rejects(broker.publish(ctx, message("crash", 3)), (thrown) => hasCode(thrown, "unavailable"));
    const { ids, taking } = recorder(t, broker, "crash");
    await rabbit.restart();
    await taking(5000);
    await publishInTheEnd(broker, message("crash", 3));
    await eventually(() => ids.length >= 4, 20_000);
    assert.deepEqual([...new Set(ids)], ["id-0", "id-1", "id-2", "id-3"]);
  });
});
