import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test, { type TestContext } from "node:test";
import { withCancel } from "../context/index.ts";
import { AppError, hasCode } from "../errors/index.ts";
import type { Broker, Delivery, Message, Subscription, SubscriptionOptions, Verdict } from "../messaging/index.ts";
import { eventually } from "./eventually.ts";
import { testContext } from "./test-context.ts";

/** A broker to be held to what `Broker` promises. */
export interface BrokerFixture {
  /** Another connection to it, started, and stopped when the test is over. */
  connect(): Promise<Broker>;
  /** The ids of what a group has parked, oldest first, and why. */
  parked(group: string): Promise<readonly { readonly id: string; readonly error: string }[]>;
  /** Says that the test uses a group, of which nothing is to stay behind. */
  using(group: string): void;
}

const DONE: Verdict = { kind: "done" };

/** What every test has: names of its own, and who is subscribed under them. */
class Bench {
  readonly ctx = testContext();
  readonly type = `t${randomUUID().slice(0, 8)}.thing.happened.v1`;
  readonly group = `g${randomUUID().slice(0, 8)}`;
  readonly #t: TestContext;
  readonly #fixture: BrokerFixture;

  constructor(t: TestContext, fixture: BrokerFixture) {
    this.#t = t;
    this.#fixture = fixture;
  }

  connect(): Promise<Broker> {
    return this.#fixture.connect();
  }

  parked() {
    return this.#fixture.parked(this.group);
  }

  message(n: number, of: Partial<Message> = {}): Message {
    const data = Buffer.from(JSON.stringify({ n }));
    const time = new Date("2026-01-31T12:00:00.123Z");
    return { id: `id-${n}`, type: this.type, source: "bench", key: `key-${n}`, time, data, headers: {}, ...of };
  }

  /** Subscribes, and returns when messages are taken. */
  async subscribe(broker: Broker, options: Partial<SubscriptionOptions> = {}): Promise<Subscription> {
    const { group = this.group } = options;
    this.#fixture.using(group);
    const handle = async () => DONE;
    const subscription = broker.subscribe({ group, types: [this.type], prefetch: 10, handle, ...options });
    this.#t.after(() => subscription.stop(testContext()).then(() => {}));
    await eventually(() => subscription.notTakingBecause() === undefined, 10_000);
    return subscription;
  }
}

/** Records what is delivered, and answers it. */
function recording(verdictOn: (delivery: Delivery) => Verdict | Promise<Verdict> = () => DONE) {
  const deliveries: Delivery[] = [];
  const handle = async (delivery: Delivery) => {
    deliveries.push(delivery);
    return verdictOn(delivery);
  };
  const ids = () => deliveries.map(({ message }) => message.id);
  return { deliveries, handle, ids };
}

function gate() {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** Tests that hold a broker to what `Broker` promises. */
export function brokerSuite(title: string, create: (t: TestContext) => Promise<BrokerFixture>): void {
  const promise = (behaviour: string, prove: (bench: Bench) => Promise<void>) =>
    test(`${title}: ${behaviour}`, async (t) => prove(new Bench(t, await create(t))));

  promise("a message that nobody subscribed to is refused", async (bench) => {
    const broker = await bench.connect();
    await assert.rejects(broker.publish(bench.ctx, bench.message(1)), (thrown) => hasCode(thrown, "not_found"));
  });

  promise("a message arrives with all that it was published with", async (bench) => {
    const broker = await bench.connect();
    const { handle, deliveries } = recording();
    await bench.subscribe(broker, { handle });
    const data = Buffer.from('{"name":"\u00e4\u{1F642}"}');
    const sent = bench.message(1, { data, key: "k\u00e4y", headers: { traceparent: "00-ab-cd-01" } });
    await broker.publish(bench.ctx, sent);
    await eventually(() => deliveries.length === 1);
    const [{ message, failures, isRedelivered } = assert.fail()] = deliveries;
    assert.deepEqual({ ...message, data: message.data.toString() }, { ...sent, data: data.toString() });
    assert.deepEqual([failures, isRedelivered], [0, false]);
  });

  promise("messages of one publisher arrive in their order, also by the hundred", async (bench) => {
    const broker = await bench.connect();
    const { handle, ids } = recording();
    await bench.subscribe(broker, { handle, prefetch: 1 });
    const sent = Array.from({ length: 200 }, (_, n) => bench.message(n));
    await Promise.all(sent.map((message) => broker.publish(bench.ctx, message)));
    await eventually(() => ids().length === sent.length);
    assert.deepEqual(
      ids(),
      sent.map(({ id }) => id),
    );
  });

  promise("a big message arrives whole", async (bench) => {
    const broker = await bench.connect();
    const { handle, deliveries } = recording();
    await bench.subscribe(broker, { handle });
    const data = Buffer.from(JSON.stringify("x".repeat(1_000_000)));
    await broker.publish(bench.ctx, bench.message(1, { data }));
    await eventually(() => deliveries.length === 1);
    assert.ok(deliveries[0]?.message.data.equals(data));
  });

  promise("each group gets each message, and the processes of a group share them", async (bench) => {
    const [broker, one, other] = [await bench.connect(), await bench.connect(), await bench.connect()];
    const [first, second, elsewhere] = [recording(), recording(), recording()];
    await bench.subscribe(one, { handle: first.handle, prefetch: 1 });
    await bench.subscribe(other, { handle: second.handle, prefetch: 1 });
    await bench.subscribe(other, { handle: elsewhere.handle, group: `${bench.group}_2` });
    const sent = Array.from({ length: 20 }, (_, n) => bench.message(n));
    await Promise.all(sent.map((message) => broker.publish(bench.ctx, message)));
    const all = sent.map(({ id }) => id).toSorted();
    await eventually(() => first.ids().length + second.ids().length === 20 && elsewhere.ids().length === 20);
    assert.deepEqual([...first.ids(), ...second.ids()].toSorted(), all);
    assert.deepEqual(elsewhere.ids().toSorted(), all);
    assert.ok(first.ids().length > 0 && second.ids().length > 0);
  });

  promise("what comes while nobody of a group is there waits for it", async (bench) => {
    const broker = await bench.connect();
    const before = await bench.subscribe(broker);
    await before.drain(bench.ctx);
    await before.stop(bench.ctx);
    await broker.publish(bench.ctx, bench.message(1));
    const { handle, ids } = recording();
    await bench.subscribe(broker, { handle });
    await eventually(() => ids().length === 1);
  });

  promise("no more are under way than were asked for", async (bench) => {
    const broker = await bench.connect();
    const held = gate();
    const { handle, ids } = recording(async () => {
      await held.opened;
      return DONE;
    });
    await bench.subscribe(broker, { handle, prefetch: 3 });
    await Promise.all(Array.from({ length: 10 }, (_, n) => broker.publish(bench.ctx, bench.message(n))));
    await eventually(() => ids().length === 3);
    await broker.publish(bench.ctx, bench.message(10));
    assert.equal(ids().length, 3);
    held.open();
    await eventually(() => ids().length === 11);
  });

  promise("a message that failed comes again after a second, and says how often it failed", async (bench) => {
    const broker = await bench.connect();
    const verdicts: Verdict[] = [{ kind: "retry", error: "unavailable: not now" }];
    const { handle, deliveries } = recording(() => verdicts.pop() ?? DONE);
    await bench.subscribe(broker, { handle });
    const startedAt = performance.now();
    await broker.publish(bench.ctx, bench.message(1, { headers: { traceparent: "00-ab-cd-01" } }));
    await eventually(() => deliveries.length === 2, 10_000);
    assert.ok(performance.now() - startedAt >= 990);
    const [first, second] = deliveries;
    assert.deepEqual(second?.message, first?.message);
    assert.deepEqual([first?.failures, second?.failures], [0, 1]);
    assert.deepEqual(await bench.parked(), []);
  });

  promise("a handler that throws makes a retry", async (bench) => {
    const broker = await bench.connect();
    const failures: Error[] = [new AppError("unavailable", "not now")];
    const { handle, deliveries } = recording(() => {
      const failure = failures.pop();
      if (failure !== undefined) throw failure;
      return DONE;
    });
    await bench.subscribe(broker, { handle });
    await broker.publish(bench.ctx, bench.message(1));
    await eventually(() => deliveries.length === 2, 10_000);
  });

  promise("a message that is parked stays there with its reason, and the others go on", async (bench) => {
    const broker = await bench.connect();
    const error = "invalid: a message breaks its contract";
    const { handle, ids } = recording(({ message }) => (message.id === "id-0" ? { kind: "park", error } : DONE));
    await bench.subscribe(broker, { handle });
    for (const n of [0, 1, 2]) await broker.publish(bench.ctx, bench.message(n));
    await eventually(async () => ids().length === 3 && (await bench.parked()).length === 1);
    assert.deepEqual(await bench.parked(), [{ id: "id-0", error }]);
  });

  promise(
    "one that drains takes nothing more, ends what it has, and gives back what it did not begin",
    async (bench) => {
      const broker = await bench.connect();
      const held = gate();
      const first = recording(async ({ message }) => {
        await held.opened;
        return message.id === "id-0" ? DONE : { kind: "release" };
      });
      const draining = await bench.subscribe(broker, { handle: first.handle, prefetch: 2 });
      for (const n of [0, 1, 2]) await broker.publish(bench.ctx, bench.message(n));
      await eventually(() => first.ids().length === 2);
      const drained = draining.drain(bench.ctx);
      held.open();
      await drained;
      assert.equal(await draining.stop(bench.ctx), 0);
      const second = recording();
      await bench.subscribe(await bench.connect(), { handle: second.handle });
      await eventually(() => second.ids().length === 2);
      assert.deepEqual(
        [first.ids(), second.ids().toSorted()],
        [
          ["id-0", "id-1"],
          ["id-1", "id-2"],
        ],
      );
    },
  );

  promise("a drain lasts no longer than its context", async (bench) => {
    const broker = await bench.connect();
    const { handle, ids } = recording(() => new Promise<Verdict>(() => {}));
    const subscription = await bench.subscribe(broker, { handle });
    await broker.publish(bench.ctx, bench.message(1));
    await eventually(() => ids().length === 1);
    const enough = new AppError("canceled", "enough");
    const drained = withCancel(bench.ctx, (ctx, cancel) => {
      setImmediate(() => cancel(enough));
      return subscription.drain(ctx);
    });
    await assert.rejects(drained, enough);
    assert.equal(await subscription.stop(bench.ctx), 1);
  });

  promise("what was under way when its receiver stopped is delivered again, and says so", async (bench) => {
    const broker = await bench.connect();
    const first = recording(() => new Promise<Verdict>(() => {}));
    const stopping = await bench.subscribe(broker, { handle: first.handle });
    await broker.publish(bench.ctx, bench.message(1));
    await eventually(() => first.ids().length === 1);
    assert.equal(await stopping.stop(bench.ctx), 1);
    const second = recording();
    await bench.subscribe(await bench.connect(), { handle: second.handle });
    await eventually(() => second.ids().length === 1);
    assert.equal(second.deliveries[0]?.isRedelivered, true);
  });

  promise(
    "where order is kept one process takes messages, and the next has in their order what it left",
    async (bench) => {
      const broker = await bench.connect();
      const [first, second] = [recording(() => new Promise<Verdict>(() => {})), recording()];
      const stopping = await bench.subscribe(broker, { handle: first.handle, ordered: true, prefetch: 3 });
      await bench.subscribe(await bench.connect(), { handle: second.handle, ordered: true, prefetch: 1 });
      const sent = Array.from({ length: 10 }, (_, n) => bench.message(n));
      for (const message of sent) await broker.publish(bench.ctx, message);
      await eventually(() => first.ids().length === 3);
      assert.deepEqual(second.ids(), []);
      assert.equal(await stopping.stop(bench.ctx), 3);
      await eventually(() => second.ids().length === 10);
      assert.deepEqual(
        second.ids(),
        sent.map(({ id }) => id),
      );
    },
  );

  promise(
    "where order is kept one that drains hands over when it has ended what it has, and not sooner",
    async (bench) => {
      const broker = await bench.connect();
      const [held, order] = [gate(), [] as string[]];
      const first = recording(async ({ message }) => {
        await held.opened;
        order.push(`first ${message.id}`);
        return message.id === "id-0" ? DONE : { kind: "release" };
      });
      const second = recording(({ message }) => {
        order.push(`second ${message.id}`);
        return DONE;
      });
      const draining = await bench.subscribe(broker, { handle: first.handle, ordered: true, prefetch: 2 });
      await bench.subscribe(await bench.connect(), { handle: second.handle, ordered: true, prefetch: 1 });
      for (const n of [0, 1, 2, 3]) await broker.publish(bench.ctx, bench.message(n));
      await eventually(() => first.ids().length === 2);
      const drained = draining.drain(bench.ctx);
      // A message that comes meanwhile is published, taken by nobody, and so tells that the others had the time to come.
      await broker.publish(bench.ctx, bench.message(4));
      held.open();
      await drained;
      assert.equal(await draining.stop(bench.ctx), 0);
      await eventually(() => second.ids().length === 4);
      assert.deepEqual(order, ["first id-0", "first id-1", "second id-1", "second id-2", "second id-3", "second id-4"]);
    },
  );

  promise("where order is kept a retry is parked, since others would overtake it", async (bench) => {
    const broker = await bench.connect();
    const error = "unavailable: not now";
    const { handle, ids } = recording(({ message }) => (message.id === "id-0" ? { kind: "retry", error } : DONE));
    await bench.subscribe(broker, { handle, ordered: true });
    for (const n of [0, 1]) await broker.publish(bench.ctx, bench.message(n));
    await eventually(async () => ids().length === 2 && (await bench.parked()).length === 1);
    assert.deepEqual(await bench.parked(), [{ id: "id-0", error }]);
  });

  promise("nothing is published under a context that is done", async (bench) => {
    const broker = await bench.connect();
    await bench.subscribe(broker);
    const gone = new AppError("canceled", "the caller is gone");
    const ctx = testContext();
    ctx.cancel(gone);
    await assert.rejects(async () => broker.publish(ctx, bench.message(1)), gone);
  });
}
