import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { User } from "@services/users";
import { eventually, postgresSandbox, Replica, sparePort, startLoad, startProcess } from "parapet/testing";
import { migrations } from "../migrations/index.ts";
import { newOrder, ORDERS, ownBroker, USERS } from "./orders-process.ts";
import { CHECK_EVERY_MS, ownHaproxy } from "./own-haproxy.ts";

/** With the many seeds of a soak as many as RELIABILITY asks. */
const ROUNDS = Number(process.env.SEEDS ?? 5) >= 100 ? 10 : 1;
const LIFETIME_MS = 600_000;
/** The lame duck: longer than the balancer takes to look away, and longer than it takes a request to come. */
const DRAIN_DELAY_MS = 1500;

/** Two processes of a service behind a balancer. */
async function pairOf(t: TestContext, main: string, env: Readonly<Record<string, string>>) {
  const ports = [await sparePort(), await sparePort()];
  const start = (port: number) => () =>
    startProcess(t, main, {
      env: { ...env, PORT: String(port), DRAIN_DELAY_MS: String(DRAIN_DELAY_MS) },
      lifetimeMs: LIFETIME_MS,
    });
  const replicas = ports.map((port) => new Replica(start(port)));
  for (const replica of replicas) await replica.said("the database is ready");
  return { replicas, url: await ownHaproxy(t, ports) };
}

test("A14: two processes of each service, restarted one after the other behind a balancer, fail no request", async (t) => {
  const amqpUrl = await ownBroker(t);
  const usersDatabase = await postgresSandbox(t);
  const usersEnv = { DATABASE_URL: usersDatabase.url, AMQP_URL: amqpUrl };
  const migration = startProcess(t, USERS, { args: ["migrate"], env: usersEnv });
  assert.equal((await migration.exited).code, 0, migration.stdout + migration.stderr);
  const users = await pairOf(t, USERS, usersEnv);
  if (users.url === undefined) return;
  const ordersDatabase = await postgresSandbox(t, { migrations });
  const orders = await pairOf(t, ORDERS, { DATABASE_URL: ordersDatabase.url, AMQP_URL: amqpUrl, USERS_URL: users.url });
  assert.ok(orders.url !== undefined);

  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ name: "Ada", email: "ada@example.com" });
  const ada = (await (await fetch(`${users.url}/api/v1/users`, { method: "POST", headers, body })).json()) as User;
  const clients = { keepAliveClients: 4, freshClients: 4, maxThinkMs: 20 };
  const read = startLoad(t, { ...clients, url: users.url, request: () => ({ path: `/api/v1/users/${ada.id}` }) });
  const order = JSON.stringify(newOrder(ada.id));
  const written = startLoad(t, {
    ...clients,
    url: orders.url,
    request: (n) =>
      n % 2 === 0
        ? { method: "POST", path: "/api/v1/orders", headers, body: order }
        : { path: `/api/v1/orders?userId=${ada.id}&limit=5` },
  });
  for (let round = 0; round < ROUNDS; round++) {
    for (const replica of [...users.replicas, ...orders.replicas]) {
      assert.equal(await replica.leaveAndRestart(), 0);
      await eventually(() => replica.url !== undefined, 20_000);
      await replica.said("the database is ready");
      await delay(3 * CHECK_EVERY_MS);
    }
  }
  const reports = [await read.stop(), await written.stop()];
  t.diagnostic(`${ROUNDS * 4} restarts, ${reports.map(({ ok }) => ok).join(" and ")} requests`);
  assert.deepEqual(
    reports.map(({ failures }) => failures),
    [{}, {}],
  );
  assert.ok(reports.every(({ ok }) => ok > 100));
});
