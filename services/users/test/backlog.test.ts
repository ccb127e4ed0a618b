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
/** What a machine that does other things too may add. */
const NOISE_MS = { p50: 2, p99: 10 };
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

/** Reads one user and creates others for a second. */
async function load(t: TestContext, service: Service, path: string): Promise<LoadReport> {
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
  await delay(1000);
  return under.stop();
}

interface Times {
  /** Of the quietest of some seconds, in milliseconds: what else the machine does slows each of them seldom. */
  readonly p50: number;
  readonly p99: number;
}

/** How long requests take, each of which has to succeed, while something else happens in each second. */
async function times(
  t: TestContext,
  service: Service,
  path: string,
  meanwhile: () => Promise<void> = async () => {},
): Promise<Times> {
  const seconds: LoadReport[] = [];
  for (let second = 0; second < 4; second++) {
    const [report] = await Promise.all([load(t, service, path), meanwhile()]);
    seconds.push(report);
  }
  for (const { failures } of seconds) assert.deepEqual(failures, {});
  const least = (percent: number) => Math.min(...seconds.map((report) => report.latencyMs(percent)));
  const result = { p50: least(50), p99: least(99) };
  t.diagnostic(`p50 ${result.p50.toFixed(1)} ms, p99 ${result.p99.toFixed(1)} ms`);
  return result;
}

function assertHardlySlower({ p50, p99 }: Times, usual: Times, times: number): void {
  assert.ok(p50 < times * usual.p50 + NOISE_MS.p50, `half take ${p50} ms and more, and usually ${usual.p50} ms`);
  assert.ok(p99 < times * usual.p99 + NOISE_MS.p99, `one of a hundred takes ${p99} ms, and usually ${usual.p99} ms`);
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
  const start = async () => {
    const service = await startService(t, SERVER, { env: { DATABASE_URL: url, AMQP_URL: events.amqpUrl } });
    await service.line("the database is ready");
    return service;
  };
  const service = await start();
  const path = `/api/v1/users/${(await createAda(service)).id}`;
  await load(t, service, path);
  const usual = await times(t, service, path);
  const usualBytes = await counted(service, RESIDENT);

  await t.test(
    "E17: five thousand events at once, time after time, hardly slow requests, and all are published",
    async (t) => {
      assertHardlySlower(await times(t, service, path, () => leaveEvents(database, 5000)), usual, 1.5);
      await eventually(async () => (await leftIn(events)) >= 20_000, 30_000);
    },
  );
  service.kill();
  await service.exited;

  await t.test(
    "E16: with a hundred thousand events to publish at its start memory stays flat, and requests are not slowed",
    async (t) => {
      await leaveEvents(database, 100_000);
      const before = await leftIn(events);
      const loaded = await start();
      await load(t, loaded, path);
      const loadedTimes = await times(t, loaded, path);
      const bytes = await counted(loaded, RESIDENT);
      const published = (await leftIn(events)) - before;
      t.diagnostic(
        `${Math.round(usualBytes / MIB)} MiB, then ${Math.round(bytes / MIB)}; ${published} published meanwhile`,
      );
      assertHardlySlower(loadedTimes, usual, 2);
      assert.ok(
        published > 1000 && published < 100_000,
        `${published} were published: the backlog was there all the time`,
      );
      assert.ok(bytes < usualBytes + 64 * MIB, `${bytes} bytes, and ${usualBytes} without a backlog`);
      loaded.kill("SIGKILL");
      await loaded.exited;
    },
  );
});
