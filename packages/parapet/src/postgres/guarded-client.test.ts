import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import test, { type TestContext } from "node:test";
import { TLSSocket } from "node:tls";
import { withTimeout } from "../context/index.ts";
import { AppError, hasCode } from "../errors/index.ts";
import { createRegistry } from "../metrics/index.ts";
import { eventually } from "../testing/eventually.ts";
import { faultProxy } from "../testing/fault-proxy.ts";
import { LOOPBACK, listenOnLoopback } from "../testing/loopback.ts";
import { postgresSandbox } from "../testing/postgres-sandbox.ts";
import { testContext } from "../testing/test-context.ts";
import { createDatabase } from "./database.ts";
import { row } from "./row.ts";
import { sql } from "./sql.ts";

const Value = row({ n: "int4", text: "text", json: "jsonb", list: "int4[]", at: "timestamptz" });

test("C16: flipped bits end a connection and fail its query; the process lives, and the next connection works", async (t) => {
  const { url } = await postgresSandbox(t);
  const proxy = await faultProxy(t, url);
  const ctx = testContext();
  const registry = createRegistry();
  const database = createDatabase(proxy.url, { log: ctx.log, metrics: registry, poolMax: 4 });
  t.after(async () => {
    await database.stop(ctx);
  });
  const read = () =>
    withTimeout(ctx, 100, (inner) =>
      database.query(
        inner,
        sql(Value)`select n, repeat('x', n) as text, '{"a": 1}'::jsonb as json, array[1, 2] as list, now() as at
          from generate_series(1, 20) as n`,
      ),
    );
  let failures = 0;
  await proxy.flip(500);
  for (let round = 0; round < 60; round++) {
    const results = await Promise.allSettled([read(), read(), read(), read()]);
    for (const result of results) {
      if (result.status === "fulfilled") continue;
      failures++;
      assert.ok(result.reason instanceof AppError, String(result.reason));
    }
  }
  await proxy.pass();
  assert.ok(failures > 0, "no flip did any harm: the test missed its point");
  await eventually(async () => (await read().catch(() => [])).length === 20, 10_000);
  // No place in the pool was lost to a connection that broke in an odd way.
  await eventually(async () => (await registry.text()).includes("postgres_pool_waiting 0\n"));
});

/** A RowDescription of a thousand columns, in two bytes. */
const NONSENSE = Buffer.from([0x54, 0, 0, 0, 8, 0x03, 0xe8, 0x61, 0x62]);

/** Says yes to TLS, and answers the login with nonsense. */
async function nonsenseOverTls(t: TestContext): Promise<string> {
  const sockets: Socket[] = [];
  const server = createServer((raw) => {
    sockets.push(raw);
    raw.on("error", () => {});
    raw.once("data", () => {
      raw.write("S");
      const secure = new TLSSocket(raw, { isServer: true, key: TEST_KEY, cert: TEST_CERTIFICATE });
      secure.on("error", () => {});
      secure.once("data", () => secure.write(NONSENSE));
    });
  });
  const port = await listenOnLoopback(server);
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `postgres://nobody@${LOOPBACK}:${port}/nothing?sslmode=no-verify`;
}

test("C16: bytes that nobody understands end a connection over TLS too, and not the process", async (t) => {
  const ctx = testContext();
  const database = createDatabase(await nonsenseOverTls(t), { log: ctx.log, metrics: createRegistry() });
  t.after(() => database.stop(ctx).then(() => {}));
  const one = sql(row({ n: "int4" }))`select 1 as n`;
  for (const from of [database, database.slow]) {
    await assert.rejects(from.query(ctx, one), (error) => hasCode(error, "unavailable"));
  }
});

// For localhost, made for this test and used nowhere else.
const TEST_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgsOAcADG6yHI+ITHG
S9Y+DyXhUhKuRNNaErRsMCasTcWhRANCAAR3P1YMYLd7F6RVsCty3wVkGVwN1Jik
zbbRTHvlb6f2Z/7yFW4SyRpymz/f6AYLNVzgXzqXAN+okj/vCYN7EclP
-----END PRIVATE KEY-----
`;
const TEST_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBfjCCASWgAwIBAgIUAtkIxy4MYSv5kiQrvQKfT2yzqKswCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNjAzMzEwMFoYDzIxMjYxMTAy
MDMzMTAwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAR3P1YMYLd7F6RVsCty3wVkGVwN1JikzbbRTHvlb6f2Z/7yFW4SyRpy
mz/f6AYLNVzgXzqXAN+okj/vCYN7EclPo1MwUTAdBgNVHQ4EFgQUANxje4am26Ea
VnX8pSdCAEfWMM4wHwYDVR0jBBgwFoAUANxje4am26EaVnX8pSdCAEfWMM4wDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiAXDOrFoRNXUfr19A8F3fdZ
U16eAn8h0QYCVeUOPVdo/gIgJh7QClh4Artxd108lCEq+bhu5Z1WoyQ+4FMYumC1
yCw=
-----END CERTIFICATE-----
`;
