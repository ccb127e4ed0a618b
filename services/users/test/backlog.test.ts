import assert from "node:assert/strict";
import { test } from "node:test";
import { type Database, sql } from "parapet/postgres";
import {
  assertHardlySlower,
  eventually,
  type LoadOptions,
  ownRabbit,
  postgresSandbox,
  type Service,
  secondOf,
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

/** Reads one user and creates others. */
function loadOn({ service, path }: Asked): LoadOptions {
  const address = (n: number) => `${service.port}-${performance.now()}-${n}@example.com`;
  const headers = { "content-type": "application/json" };
  return {
    url: service.url,
    keepAliveClients: 4,
    freshClients: 0,
    maxThinkMs: 10,
    request: (n) =>
      n % 4 > 0
        ? { path }
        : { method: "POST", path: "/api/v1/users", headers, body: JSON.stringify({ name: "Bob", email: address(n) }) },
  };
}

/** A process to be asked, with the path of one of its users. */
interface Asked {
  readonly service: Service;
  readonly path: string;
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
  await Promise.all([secondOf(t, loadOn(calm)), secondOf(t, loadOn(flooded))]);

  await t.test(
    "E17: five thousand events at once, time after time, hardly slow requests, and all are published",
    async (t) => {
      await assertHardlySlower(t, {
        busy: loadOn(flooded),
        calm: loadOn(calm),
        times: { p50: 2, p99: 1.5 },
        meanwhile: () => leaveEvents(database, 5000),
      });
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
      await secondOf(t, loadOn(loaded));
      await assertHardlySlower(t, { busy: loadOn(loaded), calm: loadOn(calm), times: { p50: 2, p99: 2 } });
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
