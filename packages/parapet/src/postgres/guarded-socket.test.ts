import assert from "node:assert/strict";
import test from "node:test";
import { withTimeout } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import { createRegistry } from "../metrics/index.ts";
import { eventually } from "../testing/eventually.ts";
import { faultProxy } from "../testing/fault-proxy.ts";
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
