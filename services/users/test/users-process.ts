import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Database } from "parapet/postgres";
import {
  eventually,
  type FaultProxy,
  faultProxy,
  type ProcessOptions,
  postgresSandbox,
  rawRequest,
  type Service,
  type ServiceMain,
  type ServiceProcess,
  startService,
} from "parapet/testing";
import { migrations } from "../migrations/index.ts";

/** What is shipped: the bundle that `npm run build` makes. */
export const SERVER = fileURLToPath(new URL("../dist/server.mjs", import.meta.url));

/** For what is not about events: a broker that is away, for which nothing waits. */
export const BROKER_AWAY = { AMQP_URL: "amqp://guest:guest@127.0.0.1:1" } as const;

export interface UsersProcess extends Service {
  /** The address of the users collection. */
  readonly users: string;
  /** The migrated database that it has to itself, for the test to look into. */
  readonly database: Database;
  readonly databaseUrl: string;
}

export interface UsersOptions extends ProcessOptions {
  /** A command that runs the bundle otherwise than `node server.mjs` does. */
  readonly main?: ServiceMain;
  /** What its sessions are set to beside, in the URL: `-c lock_timeout=5000`. */
  readonly databaseOptions?: string;
}

/** Starts the shipped bundle on a migrated database of its own. */
export async function startUsers(t: TestContext, options: UsersOptions = {}): Promise<UsersProcess> {
  const { url, database } = await postgresSandbox(t, { migrations });
  return Object.assign(await startOn(t, url, options), { database, databaseUrl: url });
}

/** Starts it with a proxy before its database that breaks on demand, and waits until it is connected. */
export async function startUsersBehindProxy(
  t: TestContext,
  options: UsersOptions = {},
): Promise<UsersProcess & { readonly proxy: FaultProxy }> {
  const { url, database } = await postgresSandbox(t, { migrations });
  const proxy = await faultProxy(t, url);
  const service = await startOn(t, proxy.url, options);
  await service.line("the database is ready");
  return Object.assign(service, { database, databaseUrl: url, proxy });
}

async function startOn(
  t: TestContext,
  databaseUrl: string,
  { main = SERVER, databaseOptions, ...options }: UsersOptions,
) {
  const url = new URL(databaseUrl);
  if (databaseOptions !== undefined) url.searchParams.set("options", databaseOptions);
  const service = await startService(t, main, {
    ...options,
    env: { ...BROKER_AWAY, ...options.env, DATABASE_URL: url.href },
  });
  return Object.assign(service, { users: `${service.url}/api/v1/users` });
}

/** Waits until the service takes no new connections. */
export async function untilClosed({ port }: Service): Promise<void> {
  await eventually(() =>
    rawRequest(port, "", { timeoutMs: 20 }).then(
      () => false,
      () => true,
    ),
  );
}

/** Waits until the process is gone, with this exit code and so soon after its last signal, or its start without one. */
export async function exits(
  t: TestContext,
  process: ServiceProcess,
  { code, withinMs }: { readonly code: number; readonly withinMs: number },
): Promise<void> {
  const exit = await process.exited;
  t.diagnostic(`gone after ${Math.round(exit.ms)} ms`);
  assert.deepEqual([exit.code, exit.signal], [code, null], process.stdout + process.stderr);
  assert.ok(exit.ms < withinMs, `gone after ${exit.ms} ms, and ${withinMs} ms are allowed`);
}
