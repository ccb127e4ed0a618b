import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { createClient } from "parapet/client";
import { api, get, Problem } from "parapet/contract";
import { hasCode } from "parapet/errors";
import { createRegistry } from "parapet/metrics";
import { inMemory, testContext } from "parapet/testing";
import { Value } from "typebox/value";
import { MemoryUserStore } from "../internal/repository/memory/memory-user-store.ts";
import { ById, User, UserPage, usersApi } from "../pkg/client/index.ts";
import { usersServer } from "./users-server.ts";

const UNKNOWN_ID = "01932c07-4e2a-7d53-9b1f-6a2f0c8e5d41";
const john = { name: "John", email: "john@example.com" };

describe("POST /api/v1/users", () => {
  test("a user is created with a first version, and found where the answer says", async () => {
    const { send } = onMemory();
    const created = await send("POST", "/api/v1/users", { json: john });
    assert.equal(created.status, 201);
    const user = userOf(created.json());
    assert.deepEqual({ ...user, ...john, version: 1 }, user);
    assert.equal(created.headers.location, `/api/v1/users/${user.id}`);
    assert.equal(created.headers.etag, '"1"');
    assert.deepEqual((await send("GET", created.headers.location)).json(), user);
  });

  test("a taken email address is a conflict that names the field", async () => {
    const { send, create } = onMemory();
    await create();
    const refused = await send("POST", "/api/v1/users", { json: { name: "Jo", email: "JOHN@example.com" } });
    assert.equal(refused.status, 409);
    assert.deepEqual(problemOf(refused.json()).errors, [
      { in: "body", field: "email", rule: "unique", detail: "must not be the address of another user" },
    ]);
  });

  test("every field that breaks a rule is named with what it must be, and nothing is stored", async () => {
    const { send } = onMemory();
    const refused = await send("POST", "/api/v1/users", { json: { name: " ", email: "john", isAdmin: true } });
    assert.equal(refused.status, 400);
    assert.deepEqual(namesOf(refused.json()), [
      "body isAdmin is not a known field",
      "body name must be text without control characters, and without spaces at its ends",
      "body email must be an email address, for example ada@example.com",
    ]);
    assert.deepEqual((await send("GET", "/api/v1/users")).json(), { items: [] });
  });
});

describe("GET /api/v1/users/{id}", () => {
  test("an id that is not a UUID is told what an id looks like", async () => {
    const refused = await onMemory().send("GET", "/api/v1/users/nope");
    assert.equal(refused.status, 400);
    assert.deepEqual(namesOf(refused.json()), [`path id must be a UUID, for example ${UNKNOWN_ID}`]);
  });

  test("an id that nobody has is not found", async () => {
    const missing = await onMemory().send("GET", `/api/v1/users/${UNKNOWN_ID}`);
    assert.equal(missing.status, 404);
    assert.equal(problemOf(missing.json()).code, "not_found");
  });

  test("an id is read in either case", async () => {
    const { send, create } = onMemory();
    const user = await create();
    assert.deepEqual((await send("GET", `/api/v1/users/${user.id.toUpperCase()}`)).json(), user);
  });

  test("who has the current version is not sent it again", async () => {
    const { send, create } = onMemory();
    const path = `/api/v1/users/${(await create()).id}`;
    const unchanged = await send("GET", path, { headers: { "if-none-match": '"1"' } });
    assert.deepEqual([unchanged.status, unchanged.body, unchanged.headers.etag], [304, "", '"1"']);
    await send("PATCH", path, { json: { name: "Johnny" } });
    const changed = await send("GET", path, { headers: { "if-none-match": '"1"' } });
    assert.deepEqual([changed.status, changed.headers.etag], [200, '"2"']);
  });
});

describe("PATCH /api/v1/users/{id}", () => {
  test("what is named changes, what is not stays", async () => {
    const { send, create } = onMemory();
    const user = await create();
    const changed = await send("PATCH", `/api/v1/users/${user.id}`, { json: { name: "Johnny" } });
    assert.deepEqual([changed.status, changed.headers.etag], [200, '"2"']);
    const { updatedAt } = userOf(changed.json());
    assert.deepEqual(changed.json(), { ...user, name: "Johnny", version: 2, updatedAt });
  });

  test("a change that makes no difference keeps the version", async () => {
    const { send, create } = onMemory();
    const user = await create();
    const same = await send("PATCH", `/api/v1/users/${user.id}`, { json: john });
    assert.deepEqual([same.status, same.headers.etag, same.json()], [200, '"1"', user]);
  });

  test("a change that names nothing is refused", async () => {
    const { send, create } = onMemory();
    const user = await create();
    assert.equal((await send("PATCH", `/api/v1/users/${user.id}`, { json: {} })).status, 400);
  });

  test("If-Match lets the current version through, alone, in a list, or as *", async () => {
    const { send, create } = onMemory();
    const path = `/api/v1/users/${(await create()).id}`;
    for (const [index, match] of ['"1"', '"7", "2"', "*"].entries()) {
      const changed = await send("PATCH", path, { json: { name: match }, headers: { "if-match": match } });
      assert.deepEqual([changed.status, changed.headers.etag], [200, `"${index + 2}"`], match);
    }
  });

  test("If-Match with another version, a weak one or a foreign one is stale, and changes nothing", async () => {
    const { send, create } = onMemory();
    const user = await create();
    const path = `/api/v1/users/${user.id}`;
    for (const match of ['"2"', 'W/"1"', '"01"', '"one"', '"1.0", "2"']) {
      const stale = await send("PATCH", path, { json: { name: "never" }, headers: { "if-match": match } });
      assert.equal(stale.status, 412, match);
      assert.equal(problemOf(stale.json()).code, "stale");
    }
    assert.deepEqual((await send("GET", path)).json(), user);
  });

  test("whatever clients send, a change succeeds exactly when it expects the current version", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ name: fc.constantFrom("a", "b"), version: fc.nat(5) })),
        async (changes) => {
          const { send, create } = onMemory();
          let user = await create();
          for (const { name, version } of changes) {
            const headers = { "if-match": `"${version}"` };
            const reply = await send("PATCH", `/api/v1/users/${user.id}`, { json: { name }, headers });
            assert.equal(reply.status, version === user.version ? 200 : 412);
            if (reply.status !== 200) continue;
            const changed = userOf(reply.json());
            assert.equal(reply.headers.etag, `"${changed.version}"`);
            assert.equal(changed.version, user.version + (name === user.name ? 0 : 1));
            user = changed;
          }
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe("DELETE /api/v1/users/{id}", () => {
  test("a deleted user is gone", async () => {
    const { send, create } = onMemory();
    const path = `/api/v1/users/${(await create()).id}`;
    const deleted = await send("DELETE", path);
    assert.deepEqual([deleted.status, deleted.body], [204, ""]);
    assert.equal((await send("GET", path)).status, 404);
    assert.equal((await send("DELETE", path)).status, 404);
  });

  test("If-Match is honoured", async () => {
    const { send, create } = onMemory();
    const path = `/api/v1/users/${(await create()).id}`;
    assert.equal((await send("DELETE", path, { headers: { "if-match": '"2"' } })).status, 412);
    assert.equal((await send("DELETE", path, { headers: { "if-match": '"1"' } })).status, 204);
  });
});

describe("GET /api/v1/users", () => {
  test("no users, an empty last page", async () => {
    assert.deepEqual((await onMemory().send("GET", "/api/v1/users")).json(), { items: [] });
  });

  test("pages follow one another by their cursors, 20 users each unless said", async () => {
    const { send, create } = onMemory();
    const users: User[] = [];
    for (let n = 1; n <= 21; n++) users.push(await create({ name: `n${n}`, email: `n${n}@example.com` }));
    const first = pageOf((await send("GET", "/api/v1/users")).json());
    assert.deepEqual(first.items, users.slice(0, 20));
    const second = pageOf((await send("GET", `/api/v1/users?limit=100&cursor=${first.nextCursor}`)).json());
    assert.deepEqual(second, { items: users.slice(20) });
  });

  test("a limit or a cursor that breaks a rule is named", async () => {
    const { send } = onMemory();
    for (const [query, field] of [
      ["limit=0", "limit"],
      ["limit=101", "limit"],
      ["limit=1.5", "limit"],
      ["limit=1&limit=2", "limit"],
      ["cursor=nope", "cursor"],
      ["cursor=", "cursor"],
      ["offset=3", "offset"],
    ]) {
      const refused = await send("GET", `/api/v1/users?${query}`);
      assert.equal(refused.status, 400, query);
      assert.deepEqual(
        problemOf(refused.json()).errors?.map((error) => [error.in, error.field]),
        [["query", field]],
      );
    }
  });
});

describe("the client that the contract makes", () => {
  test("all operations go there and back without a port, and a problem comes back as the error that it was", async (t) => {
    const ctx = testContext();
    const transport = inMemory(usersServer(new MemoryUserStore()).nodeServer);
    const users = createClient(usersApi, { transport, log: ctx.log, metrics: createRegistry() });
    t.after(() => users.stop(ctx).then(() => {}));
    const created = await users.createUser(ctx, { body: john, idempotencyKey: "k" });
    assert.deepEqual(await users.getUser(ctx, { params: { id: created.id } }), created);
    assert.deepEqual((await users.listUsers(ctx)).items, [created]);
    const change = { params: { id: created.id }, body: { name: "Jo" } };
    const updated = await users.updateUser(ctx, { ...change, expected: 1 });
    assert.deepEqual([updated.name, updated.version], ["Jo", 2]);
    await assert.rejects(users.updateUser(ctx, { ...change, expected: 1 }), (thrown) => hasCode(thrown, "stale"));
    await assert.rejects(users.createUser(ctx, { body: { name: "Al", email: "JOHN@example.com" } }), (thrown) => {
      assert.ok(hasCode(thrown, "conflict"));
      assert.deepEqual(
        thrown.violations.map(({ field }) => field),
        ["email"],
      );
      return true;
    });
    await users.deleteUser(ctx, { params: { id: created.id } });
    await assert.rejects(users.getUser(ctx, { params: { id: created.id } }), (thrown) => hasCode(thrown, "not_found"));
  });

  test("an operation that the service does not have is a service that is away, and no user who is not there", async (t) => {
    const ctx = testContext();
    const later = api("users", {
      getUser: get("/api/v2/users/{id}", { params: ById, reply: User, errors: ["not_found"] }),
    });
    const transport = inMemory(usersServer(new MemoryUserStore()).nodeServer);
    const users = createClient(later, { transport, log: ctx.log, metrics: createRegistry() });
    t.after(() => users.stop(ctx).then(() => {}));
    await assert.rejects(users.getUser(ctx, { params: { id: UNKNOWN_ID } }), (thrown) =>
      hasCode(thrown, "unavailable"),
    );
  });
});

function onMemory() {
  const client = inMemory(usersServer(new MemoryUserStore()).nodeServer);
  const send = (method: string, path = "", options: { json?: unknown; headers?: Record<string, string> } = {}) =>
    client.request({ method, path, ...options });
  const create = async (json = john): Promise<User> => userOf((await send("POST", "/api/v1/users", { json })).json());
  return { send, create };
}

function userOf(json: unknown): User {
  assert.ok(Value.Check(User, json), JSON.stringify(json));
  return json;
}

function pageOf(json: unknown): UserPage {
  assert.ok(Value.Check(UserPage, json), JSON.stringify(json));
  return json;
}

function problemOf(json: unknown): Problem {
  assert.ok(Value.Check(Problem, json), JSON.stringify(json));
  return json;
}

function namesOf(json: unknown): string[] {
  return (problemOf(json).errors ?? []).map((error) => `${error.in} ${error.field} ${error.detail}`);
}
