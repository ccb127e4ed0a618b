import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { row, sql } from "parapet/postgres";
import { eventually, startLoad, startService, testContext } from "parapet/testing";
import {
  createUser,
  hearOf,
  newOrder,
  ownBroker,
  place,
  placing,
  startOrders,
  startUsers,
  USERS,
} from "./orders-process.ts";

/** The most that an order may take while the users service is away: its call's second, and the database. */
const DEADLINE_MS = 1500;
const Count = row({ count: "int4" });

/** Stands where the users service would be, and behaves as the test says; without an answer it is stopped. */
async function usersInPlace(t: TestContext, answer: RequestListener | undefined) {
  const state = { answer: answer ?? isThere, requests: 0 };
  const server = createServer((request, response) => {
    state.requests++;
    state.answer(request, response);
  });
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const stop = () => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => void server.close(() => resolve()));
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  if (answer === undefined) await stop();
  t.after(stop);
  const comeBack = async () => {
    state.answer = isThere;
    if (!server.listening) await listen(port);
  };
  return { state, comeBack, url: `http://127.0.0.1:${port}` };
}

const isThere: RequestListener = ({ url = "" }, response) => {
  const time = "2026-01-31T12:00:00.000Z";
  const user = {
    id: url.split("/").at(-1),
    name: "Ada",
    email: "ada@example.com",
    version: 1,
    createdAt: time,
    updatedAt: time,
  };
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(user));
};

for (const [what, answer] of [
  ["is stopped", undefined],
  [
    "is slow, ten seconds and more",
    (request, response) => void setTimeout(() => isThere(request, response), 10_000).unref(),
  ],
  ["answers garbage", (_, response) => response.end("<html>it works</html>")],
  [
    "dies in the middle of its reply",
    (_, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "200" });
      response.write('{"id":');
      setImmediate(() => response.destroy());
    },
  ],
  ["has a bug", (_, response) => response.writeHead(500).end()],
] as const satisfies readonly (readonly [string, RequestListener | undefined])[]) {
  test(`while the users service ${what}, who is known may order in time, others hear 503, and all is well when it is back`, async (t) => {
    const { state, comeBack, url } = await usersInPlace(t, answer);
    const orders = await startOrders(t, { usersUrl: url });
    const known = Array.from({ length: 20 }, () => randomUUID());
    await hearOf(orders, ...known);
    const headers = { "content-type": "application/json" };
    const load = startLoad(t, {
      url: orders.url,
      keepAliveClients: 8,
      freshClients: 0,
      maxThinkMs: 50,
      request: (n) => ({
        method: "POST",
        path: "/api/v1/orders",
        headers: { ...headers, "idempotency-key": `"${n}"` },
        body: JSON.stringify(newOrder(known[n % known.length] ?? "")),
      }),
    });
    const reads = startLoad(t, {
      url: orders.url,
      keepAliveClients: 4,
      freshClients: 0,
      maxThinkMs: 50,
      request: (n) => ({ path: `/api/v1/orders?userId=${known[n % known.length]}` }),
    });
    const strangers: number[] = [];
    for (let n = 0; n < 5; n++) {
      const refused = await placing(orders, randomUUID());
      strangers.push(refused.status);
      assert.ok(refused.headers.get("retry-after") !== null);
      await delay(500);
    }
    const report = await load.stop();
    const readReport = await reads.stop();
    t.diagnostic(
      `${report.ok} orders, p99 ${report.latencyMs(99).toFixed(0)} ms, reads ${readReport.latencyMs(99).toFixed(0)} ms, ${state.requests} requests to users`,
    );
    assert.deepEqual(strangers, Array(5).fill(503));
    assert.deepEqual(report.failures, {});
    assert.ok(report.latencyMs(99) < DEADLINE_MS, `p99 ${report.latencyMs(99)} ms`);
    // What needs no users does not wait with what does.
    assert.deepEqual(readReport.failures, {});
    assert.ok(readReport.latencyMs(99) < 500, `p99 ${readReport.latencyMs(99)} ms`);
    const [{ count } = assert.fail()] = await orders.database.query(
      testContext(),
      sql(Count)`select count(*)::int4 as count from orders`,
    );
    assert.equal(count, report.ok);

    await comeBack();
    const backAt = performance.now();
    await eventually(async () => (await placing(orders, randomUUID())).status === 201, 5000);
    assert.ok(performance.now() - backAt < 2000, `${performance.now() - backAt} ms`);
  });
}

test("the users service is killed and comes back: who is known orders all the time, and strangers again within two seconds", async (t) => {
  const amqpUrl = await ownBroker(t);
  const users = await startUsers(t, amqpUrl);
  const orders = await startOrders(t, { usersUrl: users.url, amqpUrl });
  const ada = await createUser(users);
  const bob = await createUser(users, "Bob");
  await place(orders, ada.id);
  const knows = async (id: string) =>
    (
      await orders.database.query(
        testContext(),
        sql(row({ version: "int4" }))`select version from customers where id = ${id} and version = 1`,
      )
    ).length === 1;
  await eventually(async () => (await knows(ada.id)) && (await knows(bob.id)), 5000);
  users.kill("SIGKILL");
  await users.exited;
  for (const { id } of [ada, bob, ada]) await place(orders, id);
  assert.equal((await placing(orders, randomUUID())).status, 503);
  const back = await startService(t, USERS, { env: { ...users.env, PORT: String(users.port) } });
  await back.line("the database is ready");
  const backAt = performance.now();
  await eventually(async () => (await placing(orders, randomUUID())).status === 400, 5000);
  assert.ok(performance.now() - backAt < 2000);
});
