import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Database, sql } from "parapet/postgres";
import {
  eventually,
  type LoadReport,
  ownRabbit,
  postgresSandbox,
  type Service,
  startLoad,
  startService,
  testContext,
} from "parapet/testing";
import { migrations } from "../migrations/index.ts";
import { type PublishedEvents, publishedEvents } from "./published-events.ts";
import { counted } from "./scrape.ts";
import { createAda } from "./users-json.ts";
import { SERVER } from "./users-process.ts";

const MIB = 1024 ** 2;
/** What a statement inserts within its second, also on a busy machine. */
const BATCH = 2500;
const RESIDENT = "process_resident_memory_bytes";

/** Leaves events in the outbox as many transactions would have, of a thousand keys. */
async function leaveEvents(database: Database, count: number): Promise<void> {
  for (let left = count; left > 0; left -= BATCH) {
    await database.execute(
      testContext(),
      sql`
        insert into outbox (id, aggregatetype, aggregateid, type, payload, lane)
        select gen_random_uuid(), 'users.user', 'left ' || n % 1000, 'users.user.updated.v1',
          convert_to(json_build_object('id', 'left ' || n % 1000, 'email', 'left@example.com', 'version', n)::text, 'UTF8'),
          n % 16
        from generate_series(1, ${Math.min(left, BATCH)}::int4) as n`,
    );
  }
}

/** Reads one user and creates others for so long. */
async function load(t: TestContext, service: Service, path: string, forMs: number): Promise<LoadReport> {
  const address = (n: number) => `${service.port}-${performance.now()}-${n}@example.com`;
  const headers = { "content-type": "application/json" };
  const under = startLoad(t, {
    url: service.url,
    keepAliveClients: 8,
    freshClients: 0,
    maxThinkMs: 10,
    request: (n) =>
      n % 4 > 0
        ? { path }
        : { method: "POST", path: "/api/v1/users", headers, body: JSON.stringify({ name: "Bob", email: address(n) }) },
  });
  await delay(forMs);
  return under.stop();
}

async function leftIn(events: PublishedEvents): Promise<number> {
  return (await events.all()).filter(({ data }) => data.id.startsWith("left ")).length;
}

test("events in great numbers", async (t) => {
  // Nobody else's consumers are to have them.
  const rabbit = await ownRabbit(t);
  if (rabbit === undefined) return;
  const events = await publishedEvents(t, rabbit);
  const { url, database } = await postgresSandbox(t, { migrations });
  const start = () => startService(t, SERVER, { env: { DATABASE_URL: url, AMQP_URL: events.amqpUrl } });
  const service = await start();
  await service.line("the database is ready");
  const path = `/api/v1/users/${(await createAda(service)).id}`;
  await load(t, service, path, 1000);
  const usual = await load(t, service, path, 4000);
  const usualBytes = await counted(service, RESIDENT);
  const told = (report: LoadReport) =>
    `p50 ${report.latencyMs(50).toFixed(1)} ms, p99 ${report.latencyMs(99).toFixed(1)} ms`;
  t.diagnostic(`with nothing in the outbox: ${told(usual)}, ${Math.round(usualBytes / MIB)} MiB`);

  await t.test("five thousand events at once under HTTP load: no request fails, and all are published", async (t) => {
    const flooded = load(t, service, path, 4000);
    await leaveEvents(database, 5000);
    const report = await flooded;
    t.diagnostic(told(report));
    assert.deepEqual(report.failures, {});
    await eventually(async () => (await leftIn(events)) >= 5000, 30_000);
  });
  service.kill();
  await service.exited;

  await t.test(
    "with a hundred thousand events to publish at its start memory stays flat, and no request fails",
    async (t) => {
      await leaveEvents(database, 100_000);
      const before = await leftIn(events);
      const loaded = await start();
      await loaded.line("the database is ready");
      const report = await load(t, loaded, path, 5000);
      const bytes = await counted(loaded, RESIDENT);
      const published = (await leftIn(events)) - before;
      t.diagnostic(`${told(report)}, ${Math.round(bytes / MIB)} MiB, ${published} published meanwhile`);
      assert.deepEqual(report.failures, {});
      assert.ok(
        published > 1000 && published < 100_000,
        `${published} were published: the backlog was there all the time`,
      );
      assert.ok(bytes < usualBytes + 96 * MIB, `${bytes} bytes, and ${usualBytes} without a backlog`);
      loaded.kill("SIGKILL");
      await loaded.exited;
    },
  );
});
