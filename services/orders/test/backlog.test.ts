import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { userUpdated } from "@services/users";
import { createBroker, queuesOf } from "parapet/messaging";
import { createRegistry } from "parapet/metrics";
import {
  assertHardlySlower,
  eventually,
  type LoadOptions,
  ownRabbit,
  rabbitSandbox,
  type Service,
  secondOf,
  startService,
  testContext,
} from "parapet/testing";
import { hearOf, newOrder, ORDERS, place, startOrders } from "./orders-process.ts";

const MESSAGES = 100_000;
const USERS = 1000;
const AT_ONCE = 500;
const TIME = "2026-01-31T12:00:00.000Z";

/** Publishes changes of users as fast as the broker takes them, the next when one is confirmed. */
async function publishUpdates(url: string, count: number): Promise<void> {
  const ctx = testContext();
  const broker = createBroker(url, { log: ctx.log, metrics: createRegistry() });
  await broker.start(ctx);
  const ids = Array.from({ length: USERS }, () => randomUUID());
  let sent = 0;
  const worker = async () => {
    for (let n = sent++; n < count; n = sent++) {
      const key = ids[n % USERS] ?? "";
      const user = { id: key, name: "Ada", email: "ada@example.com", version: n + 1, createdAt: TIME, updatedAt: TIME };
      const data = Buffer.from(JSON.stringify(user));
      const attributes = { id: randomUUID(), type: userUpdated.type, source: "users", time: new Date(), headers: {} };
      await broker.publish(ctx, { ...attributes, key, data });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  await broker.stop(ctx);
}

/** Reads one order and places others. */
function loadOn({ url }: Service, { id, userId }: { readonly id: string; readonly userId: string }): LoadOptions {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify(newOrder(userId));
  return {
    url,
    keepAliveClients: 4,
    freshClients: 0,
    maxThinkMs: 10,
    request: (n) =>
      n % 4 > 0 ? { path: `/api/v1/orders/${id}` } : { method: "POST", path: "/api/v1/orders", headers, body },
  };
}

async function residentMib({ url }: Service): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Math.round(Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]) / 1024 ** 2);
}

test("E16: with a hundred thousand messages in its queue at its start memory stays flat, and requests are not slowed", async (t) => {
  const rabbit = await ownRabbit(t);
  if (rabbit === undefined) return;
  const { channel } = await rabbitSandbox(t, rabbit);
  const usersUrl = "http://127.0.0.1:1";
  const userId = randomUUID();
  const calm = await startOrders(t, { usersUrl });
  // It makes its queue, and leaves.
  const first = await startOrders(t, { usersUrl, amqpUrl: rabbit.url });
  for (const service of [calm, first]) await hearOf(service, userId);
  const [read, calmRead] = [await place(first, userId), await place(calm, userId)];
  first.kill();
  await first.exited;
  await publishUpdates(rabbit.url, MESSAGES);
  const waiting = async () => (await channel.checkQueue(queuesOf("orders").main)).messageCount;
  await eventually(async () => (await waiting()) === MESSAGES, 10_000);

  const busy = await startService(t, ORDERS, { env: first.env });
  await busy.line("messages are taken");
  await Promise.all([secondOf(t, loadOn(busy, read)), secondOf(t, loadOn(calm, calmRead))]);
  const before = await waiting();
  // A request waits for the handlers that are at work when it comes; what counts is that it never waits for many.
  await assertHardlySlower(t, {
    busy: loadOn(busy, read),
    calm: loadOn(calm, calmRead),
    times: { p50: 3.5, p99: 2 },
  });
  const [left, mib, calmMib] = [await waiting(), await residentMib(busy), await residentMib(calm)];
  t.diagnostic(`${mib} MiB, and ${calmMib} in a calm process; ${before - left} messages handled meanwhile`);
  assert.ok(left > 0 && before - left > 500, `${left} left of ${before}`);
  assert.ok(mib < calmMib + 64);
});
