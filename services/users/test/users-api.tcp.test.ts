import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { postgresSandbox, testContext } from "parapet/testing";
import { Value } from "typebox/value";
import { PostgresUserStore } from "../internal/repository/postgres/postgres-user-store.ts";
import { migrations } from "../migrations/index.ts";
import { User } from "../pkg/client/index.ts";
import { usersServer } from "./users-server.ts";

const john = { name: "John", email: "john@example.com" };

test("a user is created, read, changed and deleted over TCP on a real database", async (t) => {
  const url = await serve(t);
  const created = await send("POST", url, john);
  assert.equal(created.status, 201);
  const user = await userOf(created);
  const path = `${url}/${user.id}`;
  assert.deepEqual(await userOf(await send("GET", path)), user);
  assert.equal((await send("POST", url, { ...john, email: "John@Example.com" })).status, 409);
  assert.equal((await userOf(await send("PATCH", path, { name: "Johnny" }))).version, 2);
  assert.equal((await send("DELETE", path, undefined, { "if-match": '"1"' })).status, 412);
  assert.equal((await send("DELETE", path, undefined, { "if-match": '"2"' })).status, 204);
  assert.equal((await send("GET", path)).status, 404);
});

test("F27: of concurrent changes none is lost, and the final version is the sum of the successes", async (t) => {
  const url = await serve(t);
  const path = `${url}/${(await userOf(await send("POST", url, john))).id}`;
  const statuses = await Promise.all(Array.from({ length: 10 }, (_, client) => changeTimes(5, path, `c${client}`)));
  const count = (status: number) => statuses.flat().filter((one) => one === status).length;
  assert.equal(count(200) + count(412), 50);
  assert.equal((await userOf(await send("GET", path))).version, 1 + count(200));
  assert.ok(count(200) >= 5);
});

test("F27: changes that expect no version follow one another", async (t) => {
  const url = await serve(t);
  const path = `${url}/${(await userOf(await send("POST", url, john))).id}`;
  const names = Array.from({ length: 10 }, (_, n) => `n${n}`);
  const replies = await Promise.all(names.map((name) => send("PATCH", path, { name })));
  const versions = await Promise.all(replies.map(async (reply) => (await userOf(reply)).version));
  assert.deepEqual(
    versions.sort((a, b) => a - b),
    [2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  );
});

/** The address of the users collection of a service of the test's own. */
async function serve(t: TestContext): Promise<string> {
  const { database } = await postgresSandbox(t, { migrations });
  const server = usersServer(new PostgresUserStore(database));
  const ctx = testContext();
  await server.start(ctx);
  t.after(() => server.stop(ctx));
  return `http://127.0.0.1:${server.port}/api/v1/users`;
}

/** Reads the user and changes what it has read, so many times; gives the statuses of the changes. */
async function changeTimes(times: number, path: string, client: string): Promise<number[]> {
  const statuses: number[] = [];
  for (let n = 0; n < times; n++) {
    const etag = (await send("GET", path)).headers.get("etag") ?? "";
    const { status } = await send("PATCH", path, { name: `${client} ${n}` }, { "if-match": etag });
    statuses.push(status);
  }
  return statuses;
}

async function send(method: string, url: string, json?: object, headers: Record<string, string> = {}) {
  if (json === undefined) return fetch(url, { method, headers });
  const body = JSON.stringify(json);
  return fetch(url, { method, headers: { ...headers, "content-type": "application/json" }, body });
}

async function userOf(response: Response): Promise<User> {
  const json: unknown = await response.json();
  assert.ok(Value.Check(User, json), JSON.stringify(json));
  return json;
}
