import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { sql } from "parapet/postgres";
import { eventually, type RawConnection, rawConnection, splitResponses, testContext } from "parapet/testing";
import { scrape } from "./scrape.ts";
import { exits, startUsers, type UsersProcess } from "./users-process.ts";

const CLIENTS = 10;
const BYTE_EVERY_MS = 500;

const POST = "POST /api/v1/users HTTP/1.1\r\nhost: users\r\n";
const HALF_HEAD = `${POST}x-slow: `;
const HALF_BODY = `${POST}content-type: application/json\r\ncontent-length: 1000\r\n\r\n`;

test("A4: clients that trickle the heads of their requests don't hold up the exit", async (t) => {
  const service = await startUsers(t, { env: { DRAIN_DELAY_MS: "0" } });
  const clients = await trickle(t, service, HALF_HEAD);
  service.kill();
  await exits(t, service, { code: 0, withinMs: 4000 });
  assert.deepEqual(await endsOf(clients), new Set(["closed"]));
});

test("A4: clients that trickle the bodies of their requests hold up the exit no longer than a request may take", async (t) => {
  const limits = { DATABASE_STATEMENT_TIMEOUT_MS: "1000", REQUEST_TIMEOUT_MS: "2000" };
  const service = await startUsers(t, { env: { ...limits, DRAIN_DELAY_MS: "0" } });
  const clients = await trickle(t, service, HALF_BODY);
  service.kill();
  await exits(t, service, { code: 0, withinMs: 5000 });
  assert.deepEqual(await endsOf(clients), new Set(["closed"]));
  assert.deepEqual(statusesOf(clients), new Set([408]));
});

test("A4: the limit for a request to arrive holds during the lame duck too", async (t) => {
  const service = await startUsers(t, { env: { READ_TIMEOUT_MS: "1000" } });
  const clients = await trickle(t, service, HALF_HEAD);
  service.kill();
  assert.deepEqual(await endsOf(clients), new Set(["closed"]));
  assert.deepEqual(statusesOf(clients), new Set([408]));
  assert.equal((await fetch(`${service.url}/livez`)).status, 200);
});

test("A5: a client that never reads its answers is cut by the write deadline, and the exit waits for that alone", async (t) => {
  const service = await startUsers(t, { env: { DRAIN_DELAY_MS: "0", WRITE_TIMEOUT_MS: "2000" } });
  await neverRead(t, service);
  service.kill();
  await exits(t, service, { code: 0, withinMs: 6000 });
  const said = service.lines.map(({ msg }) => msg);
  assert.ok(said.indexOf("shutting down") < said.indexOf("connections cut, their answers not taken in time"));
});

test("A5: a client that never reads its answers holds up the exit no longer than the drain lasts", async (t) => {
  const limits = { DATABASE_STATEMENT_TIMEOUT_MS: "900", REQUEST_TIMEOUT_MS: "950", DRAIN_TIMEOUT_MS: "1000" };
  const service = await startUsers(t, { env: { ...limits, DRAIN_DELAY_MS: "0" } });
  await neverRead(t, service);
  service.kill();
  await exits(t, service, { code: 1, withinMs: 6000 });
  assert.deepEqual((await service.line("shutdown forced")).aborted, { http: 1 });
});

/** Clients that begin a request and then send a byte now and then, as long as the test lasts. */
async function trickle(t: TestContext, service: UsersProcess, begin: string): Promise<readonly RawConnection[]> {
  const clients = Array.from({ length: CLIENTS }, () => rawConnection(t, service.port));
  for (const client of clients) client.send(begin);
  const timer = setInterval(() => {
    for (const client of clients) client.send("x");
  }, BYTE_EVERY_MS);
  t.after(() => clearInterval(timer));
  await eventually(async () => Number((await scrape(service)).series.get("http_connections")) > CLIENTS);
  return clients;
}

async function endsOf(clients: readonly RawConnection[]): Promise<ReadonlySet<string>> {
  return new Set(await Promise.all(clients.map((client) => client.ended(10_000))));
}

function statusesOf(clients: readonly RawConnection[]): ReadonlySet<number> {
  return new Set(clients.flatMap(({ received }) => splitResponses(received).responses.map(({ status }) => status)));
}

/** A client that asks for some 25 MB and takes none of it; comes back when as much is on its way to it as there is room for. */
async function neverRead(t: TestContext, { port, database, lines }: UsersProcess): Promise<void> {
  await database.execute(
    testContext(),
    sql`insert into users (id, name, email, email_key, version, created_at, updated_at)
      select gen_random_uuid(), repeat('😀', 100), n || '@example.com', n || '@example.com', 1, now(), now()
      from generate_series(1, 100) as n`,
  );
  const client = rawConnection(t, port);
  client.stopReading();
  client.send("GET /api/v1/users?limit=100 HTTP/1.1\r\nhost: users\r\n\r\n".repeat(400));
  const answered = () => lines.filter(({ msg }) => msg === "request").length;
  await eventually(async () => {
    const before = answered();
    await delay(300);
    return before > 0 && answered() === before;
  }, 20_000);
}
