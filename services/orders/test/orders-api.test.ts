import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { eventually } from "parapet/testing";
import type { Order, OrderPage } from "../pkg/client/index.ts";
import { createUser, newOrder, orderOf, ownBroker, place, placing, startOrders, startUsers } from "./orders-process.ts";

test("orders and users as processes: an order is placed, read, listed, paid and canceled by a deletion", async (t) => {
  const amqpUrl = await ownBroker(t);
  const users = await startUsers(t, amqpUrl);
  const orders = await startOrders(t, { usersUrl: users.url, amqpUrl });
  const post = (path: string, headers = {}) =>
    fetch(`${orders.url}/api/v1/orders/${path}`, { method: "POST", headers });
  const ada = await createUser(users);

  const first = await placing(orders, ada.id.toUpperCase(), { "idempotency-key": "k" });
  const order = (await first.json()) as Order;
  assert.deepEqual(
    [first.status, first.headers.get("location"), first.headers.get("etag")],
    [201, `/api/v1/orders/${order.id}`, '"1"'],
  );
  assert.deepEqual([order.userId, order.total, order.status], [ada.id, { amount: 900, currency: "EUR" }, "open"]);
  const again = await placing(orders, ada.id.toUpperCase(), { "idempotency-key": "k" });
  assert.deepEqual([again.headers.get("idempotency-replayed"), await again.json()], ["true", order]);

  assert.equal((await post(`${order.id}/pay`, { "if-match": '"7"' })).status, 412);
  const paid = await post(`${order.id}/pay`, { "if-match": '"1"', "idempotency-key": "p" });
  assert.deepEqual([paid.status, ((await paid.json()) as Order).status], [200, "paid"]);
  assert.equal((await post(`${order.id}/pay`, { "if-match": '"1"', "idempotency-key": "p" })).status, 200);
  assert.equal((await post(`${order.id}/cancel`)).status, 409);
  assert.equal((await post(`${randomUUID()}/cancel`)).status, 404);

  const open = await place(orders, ada.id);
  const page = async (query: string) =>
    (await (await fetch(`${orders.url}/api/v1/orders?userId=${ada.id}${query}`)).json()) as OrderPage;
  const one = await page("&limit=1");
  assert.deepEqual(
    one.items.map(({ id }) => id),
    [order.id],
  );
  assert.deepEqual(
    (await page(`&cursor=${one.nextCursor}`)).items.map(({ id }) => id),
    [open.id],
  );
  assert.equal((await fetch(`${orders.url}/api/v1/orders`)).status, 400);

  assert.equal((await fetch(`${users.url}/api/v1/users/${ada.id}`, { method: "DELETE" })).status, 204);
  await eventually(async () => (await orderOf(orders, open.id)).status === "canceled", 5000);
  const canceled = await orderOf(orders, open.id);
  assert.deepEqual([canceled.cancelReason, canceled.version], ["customer_deleted", 2]);
  assert.equal((await orderOf(orders, order.id)).status, "paid");
  assert.equal((await placing(orders, ada.id)).status, 400);
  const [created] = orders.lines.filter(({ action }) => action === "create_order");
  assert.deepEqual([created?.msg, created?.user_id], ["order created successfully", ada.id]);
});

test("what breaks the contract is named, field by field", async (t) => {
  const orders = await startOrders(t, { usersUrl: "http://127.0.0.1:1" });
  const [item] = newOrder("").items;
  for (const [body, fields] of [
    [{}, ["userId", "currency", "items"]],
    [{ ...newOrder("nobody"), currency: "euro" }, ["userId", "currency"]],
    [{ ...newOrder(randomUUID()), items: [] }, ["items"]],
    [
      { ...newOrder(randomUUID()), items: [{ ...item, quantity: 0, unitAmount: 1.5 }] },
      ["items[0].quantity", "items[0].unitAmount"],
    ],
    [{ ...newOrder(randomUUID()), items: Array(101).fill(item) }, ["items"]],
    [{ ...newOrder(randomUUID()), total: 1 }, ["total"]],
  ] as const) {
    const headers = { "content-type": "application/json" };
    const refused = await fetch(`${orders.url}/api/v1/orders`, { method: "POST", headers, body: JSON.stringify(body) });
    const problem = (await refused.json()) as { code: string; errors: { field: string }[] };
    assert.deepEqual(
      [refused.status, problem.code, problem.errors.map(({ field }) => field)],
      [400, "invalid", fields],
    );
  }
});

test("a service that is not told where the others are says what is missing, and exits with 78", async (t) => {
  const { ORDERS } = await import("./orders-process.ts");
  const { startProcess } = await import("parapet/testing");
  const started = startProcess(t, ORDERS, { env: { USERS_URL: "users" } });
  assert.equal((await started.exited).code, 78);
  for (const name of ["DATABASE_URL", "AMQP_URL", "USERS_URL"]) assert.match(started.stderr, new RegExp(name));
});
