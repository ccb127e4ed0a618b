import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { startEmbeddedBroker } from "@parapet/dev";
import type { User } from "@services/users";
import { type Database, sql } from "parapet/postgres";
import { postgresSandbox, type Service, startProcess, startService, testContext } from "parapet/testing";
import { migrations } from "../migrations/index.ts";
import type { NewOrder, Order } from "../pkg/client/index.ts";

/** What is shipped: the bundles that `npm run build` makes. */
export const ORDERS = fileURLToPath(new URL("../dist/server.mjs", import.meta.url));
export const USERS = fileURLToPath(new URL("../../users/dist/server.mjs", import.meta.url));

/** For what is not about events: a broker that is away, for which nothing waits. */
export const BROKER_AWAY = "amqp://guest:guest@127.0.0.1:1";

export interface Started extends Service {
  /** The migrated database that it has to itself, for the test to look into. */
  readonly database: Database;
  readonly env: Readonly<Record<string, string>>;
}

export interface OrdersOptions {
  readonly usersUrl: string;
  readonly amqpUrl?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts the shipped bundle on a migrated database of its own, and waits until it is connected. */
export async function startOrders(
  t: TestContext,
  { usersUrl, amqpUrl = BROKER_AWAY, ...options }: OrdersOptions,
): Promise<Started> {
  const { url, database } = await postgresSandbox(t, { migrations });
  const env = { DATABASE_URL: url, AMQP_URL: amqpUrl, USERS_URL: usersUrl, DRAIN_DELAY_MS: "0", ...options.env };
  const service = await startService(t, ORDERS, { env });
  await service.line("the database is ready");
  if (amqpUrl !== BROKER_AWAY) await service.line("messages are taken");
  return Object.assign(service, { database, env });
}

/** Starts the neighbour as its own people would: its bundle, migrated by itself. */
export async function startUsers(t: TestContext, amqpUrl: string, port = 0): Promise<Started> {
  const { url, database } = await postgresSandbox(t);
  const env = { DATABASE_URL: url, AMQP_URL: amqpUrl, PORT: String(port), DRAIN_DELAY_MS: "0" };
  const migration = startProcess(t, USERS, { args: ["migrate"], env });
  assert.equal((await migration.exited).code, 0, migration.stdout + migration.stderr);
  const service = await startService(t, USERS, { env });
  await service.line("the database is ready");
  return Object.assign(service, { database, env });
}

/** A broker that only this test knows: services take queues by their own names. */
export async function ownBroker(t: TestContext): Promise<string> {
  const broker = await startEmbeddedBroker();
  t.after(() => broker.stop());
  return broker.url;
}

/** Makes users known to the orders service, as their events would. */
export async function hearOf({ database }: Started, ...ids: readonly string[]): Promise<void> {
  await database.execute(testContext(), sql`insert into customers (id, version) select unnest(${ids}::uuid[]), 1`);
}

const JSON_TYPE = { "content-type": "application/json" };

export async function createUser({ url }: Service, name = "Ada"): Promise<User> {
  const body = JSON.stringify({ name, email: `${name.toLowerCase()}@example.com` });
  const created = await fetch(`${url}/api/v1/users`, { method: "POST", headers: JSON_TYPE, body });
  assert.equal(created.status, 201);
  return (await created.json()) as User;
}

export function newOrder(userId: string): NewOrder {
  return { userId, currency: "EUR", items: [{ sku: "tea", quantity: 2, unitAmount: 450 }] };
}

/** Asks for an order, and gives what came of it. */
export function placing({ url }: Service, userId: string, headers: Record<string, string> = {}): Promise<Response> {
  const body = JSON.stringify(newOrder(userId));
  return fetch(`${url}/api/v1/orders`, { method: "POST", headers: { ...JSON_TYPE, ...headers }, body });
}

export async function place(orders: Service, userId: string): Promise<Order> {
  const placed = await placing(orders, userId);
  assert.equal(placed.status, 201);
  return (await placed.json()) as Order;
}

export async function orderOf({ url }: Service, id: string): Promise<Order> {
  const found = await fetch(`${url}/api/v1/orders/${id}`);
  assert.equal(found.status, 200);
  return (await found.json()) as Order;
}
