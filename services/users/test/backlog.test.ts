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
async function load(t: TestContext, { service, path }: Asked): Promise<LoadReport> {
  const address = (n: number) => `${service.port}-${performance.now()}-${n}@example.com`;
  const headers = { "content-type": "application/json" };
  const under = startLoad(t, {
    url: service.url,
    keepAliveClients: 4,
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
  /** Of the best of some seconds, in milliseconds: what else the machine does slows each of them seldom. */
  readonly p50: number;
  readonly p99: number;
}

/** A process to be asked for, with the path of one of its users. */
interface Asked {
  readonly service: Service;
  readonly path: string;
}

/** How long requests of one take, each of which has to succeed. */
function timesOf(seconds: readonly LoadReport[]): Times {
  for (const { failures } of seconds) assert.deepEqual(failures, {});
  const least = (percent: number) => Math.min(...seconds.map((report) => report.latencyMs(percent)));
  return { p50: least(50), p99: least(99) };
}

/**
 * Holds a process that has events to publish to the times of one that has none, in the same seconds, since a machine that does other things too
 * is never the same for long. Something happens in each second.
 */
async function assertHardlySlower(
  t: TestContext,
  [busy, calm]: readonly [Asked, Asked],
  times: number,
  meanwhile: () => Promise<void> = async () => {},
): Promise<void> {
  const seconds: (readonly [LoadReport, LoadReport])[] = [];
  for (let second = 0; second < 4; second++) {
    const [one, other] = await Promise.all([load(t, busy), load(t, calm), meanwhile()]);
    seconds.push([one, other]);
  }
  const [slower, usual] = [timesOf(seconds.map(([one]) => one)), timesOf(seconds.map(([, other]) => other))];
  for (const [what, { p50, p99 }] of [
    ["with events", slower],
    ["without", usual],
  ] as const)
    t.diagnostic(`${what}: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);
  assert.ok(
    slower.p50 < times * usual.p50 + NOISE_MS.p50,
    `half take ${slower.p50} ms and more, and ${usual.p50} ms without`,
  );
  assert.ok(
    slower.p99 < times * usual.p99 + NOISE_MS.p99,
    `one of a hundred takes ${slower.p99} ms, and ${usual.p99} ms without`,
  );
}

async function leftIn(events: PublishedEvents): Promise<number> {
  return (await events.all()).filter(({ data }) => data.id.startsWith("left ")).length;
}

test("events in great numbers", async (t) => {
  // Nobody else's consumers are to have them.
  const rabbit = await ownRabbit(t);
  if (rabbit === undefined) return;
  const events = await publishedEvents(t, rabbit);
  const startOn = async (url: string): Promise<Service> => {
    const service = await startService(t, SERVER, { env: { DATABASE_URL: url, AMQP_URL: events.amqpUrl } });
    await service.line("the database is ready");
    return service;
  };
  const start = async (url: string): Promise<Asked> => {
    const service = await startOn(url);
    return { service, path: `/api/v1/users/${(await createAda(service)).id}` };
  };
  const calm = await start((await postgresSandbox(t, { migrations })).url);
  const { url, database } = await postgresSandbox(t, { migrations });
  const flooded = await start(url);
  await Promise.all([load(t, calm), load(t, flooded)]);

  await t.test(
    "E17: five thousand events at once, time after time, hardly slow requests, and all are published",
    async (t) => {
      await assertHardlySlower(t, [flooded, calm], 1.5, () => leaveEvents(database, 5000));
      await eventually(async () => (await leftIn(events)) >= 20_000, 60_000);
    },
  );
  flooded.service.kill("SIGKILL");
  await flooded.service.exited;

  await t.test(
    "E16: with a hundred thousand events to publish at its start memory stays flat, and requests are not slowed",
    async (t) => {
      await leaveEvents(database, 100_000);
      const before = await leftIn(events);
      const loaded = { service: await startOn(url), path: flooded.path };
      await load(t, loaded);
      await assertHardlySlower(t, [loaded, calm], 2);
      const [bytes, usualBytes] = await Promise.all([loaded, calm].map(({ service }) => counted(service, RESIDENT)));
      const published = (await leftIn(events)) - before;
      t.diagnostic(`${toMib(bytes)} MiB, and ${toMib(usualBytes)} without; ${published} published meanwhile`);
      assert.ok(
        published > 1000 && published < 100_000,
        `${published} were published: the backlog was there all the time`,
      );
      assert.ok(toMib(bytes) < toMib(usualBytes) + 64);
    },
  );
});

function toMib(bytes = 0): number {
  return Math.round(bytes / 1024 ** 2);
}
