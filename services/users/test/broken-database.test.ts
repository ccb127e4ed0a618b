import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "parapet/testing";
import { breakWrites, mendWrites } from "./broken-writes.ts";
import { databaseRoutes, inTurn } from "./database-routes.ts";
import { askedBy, assertGivenUp, assertUnavailable, assertUnharmed } from "./replies.ts";
import { isAtRest } from "./scrape.ts";
import { storedUsers } from "./sessions.ts";
import { createAda, userOf } from "./users-json.ts";
import { startUsers, startUsersBehindProxy, type UsersProcess } from "./users-process.ts";

const BUDGET_MS = 1000;
// What waits in the background for an answer that it can't read has a second more than its statement.
const env = { REQUEST_TIMEOUT_MS: String(BUDGET_MS), DATABASE_STATEMENT_TIMEOUT_MS: "500" };

test("C15: while the database's disk is full changes are answered 503 and reads go on, and nothing is half saved", async (t) => {
  const service = await startUsers(t);
  const { id } = await createAda(service);
  const { list, get, create, update, remove } = databaseRoutes(service.users, id);
  await breakWrites(service.database, "53100");
  for (const reply of await askedBy(6, 3, inTurn([create, update, remove]))) assertUnavailable(reply);
  const reads = await askedBy(6, 4, inTurn([list, get]));
  assert.deepEqual([...new Set(reads.map(({ status }) => status))].sort(), [200, 404]);
  assert.equal(await storedUsers(service.database), 1);

  await mendWrites(service.database);
  const again = await askedBy(1, 3, inTurn([create, update, list]));
  assert.deepEqual(
    again.map(({ status }) => status),
    [201, 200, 200],
  );
  assert.equal((await userOf(await fetch(`${service.users}/${id}`))).version, 2);
  await assertUnharmed(service);
});

test("C16: bytes that are no messages end their connection and not the process, and those who wait for them are answered in time", async (t) => {
  const service = await startUsersBehindProxy(t, { env });
  const { id } = await createAda(service);
  const routes = databaseRoutes(service.users, id);
  for (let round = 0; round < 2; round++) {
    await service.proxy.flip(1);
    const asked = askedBy(5, 2, (number) => inTurn(Object.values(routes))(100 * round + number));
    const probes = await askedBy(1, 4, (number) => fetch(service.url + (number % 2 === 0 ? "/livez" : "/readyz")));
    assert.ok(probes.every(({ status }) => status === 200));
    for (const reply of await asked) assertGivenUp(reply, BUDGET_MS + 500);
    await service.proxy.pass();
    await eventually(async () => (await routes.list()).status === 200);
  }
  await untilServed(service, id);
  await assertUnharmed(service);
});

test("C16: bits that are flipped here and there harm the requests whose answers they are in, and the process lives on", async (t) => {
  const service = await startUsersBehindProxy(t, { env });
  const { id } = await createAda(service);
  const { list, get, create, update } = databaseRoutes(service.users, id);
  await service.proxy.flip(300);
  const replies = await askedBy(8, 5, inTurn([list, get, create, update]));
  const counts: Record<string, number> = {};
  for (const { status } of replies) counts[status] = (counts[status] ?? 0) + 1;
  t.diagnostic(JSON.stringify(counts));
  assert.ok((counts[503] ?? 0) + (counts[504] ?? 0) > 0, "no flip did any harm");

  await service.proxy.pass();
  await untilServed(service, id);
  assert.equal((await fetch(`${service.url}/livez`)).status, 200);
  assert.equal(service.stderr, "");
});

/** Waits until every route answers as ever, and no place for a connection is lost. */
async function untilServed(service: UsersProcess, id: string): Promise<void> {
  const { list, get, create, update } = databaseRoutes(service.users, id);
  const ask = inTurn([list, get, create, update]);
  await eventually(async () => (await askedBy(1, 4, ask)).every(({ status }) => status < 500));
  await eventually(() => isAtRest(service));
}
