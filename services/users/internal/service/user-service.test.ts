import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { AppError, hasCode } from "parapet/errors";
import { faulty, manualClock, testContext } from "parapet/testing";
import type { User } from "../model/user.ts";
import { MemoryUserRepository } from "../repository/memory/memory-user-repository.ts";
import { UserService } from "./user-service.ts";

const CREATED = new Date("2026-01-31T12:00:00Z");
const DAY_MS = 86_400_000;
const ada = { name: "Ada", email: "ada@example.com" };

test("create gives the user an id and its first version, and keeps it", async () => {
  const { ctx, service, users } = setup();
  const created = await service.create(ctx, ada);
  assert.deepEqual(created, { ...ada, id: idOf(1), version: 1, createdAt: CREATED, updatedAt: CREATED });
  assert.equal(users.callsOf("create").length, 1);
  assert.deepEqual(await service.get(ctx, created.id), created);
});

test("what was done to whom is logged, and nothing personal", async () => {
  const { ctx, service } = setup();
  const { id } = await service.create(ctx, ada);
  await service.update(ctx, id, { change: { name: "Ada Lovelace" } });
  await service.delete(ctx, id);
  assert.deepEqual(
    ctx.lines.map(({ level, msg, user_id, action }) => ({ level, msg, user_id, action })),
    [
      { level: "info", msg: "user created", user_id: id, action: "create_user" },
      { level: "info", msg: "user updated", user_id: id, action: "update_user" },
      { level: "info", msg: "user deleted", user_id: id, action: "delete_user" },
    ],
  );
  assert.ok(!JSON.stringify(ctx.lines).includes("ada@"));
});

test("what the repository could not do is thrown as it is, and not logged as done", async () => {
  const { ctx, service, users } = setup();
  const away = new AppError("unavailable", "the database is away");
  users.failNext("create", away);
  await assert.rejects(service.create(ctx, ada), away);
  await service.create(ctx, ada);
  users.failNext("update", away);
  await assert.rejects(service.update(ctx, idOf(2), { change: { name: "Ada L." } }), away);
  users.failNext("delete", away);
  await assert.rejects(service.delete(ctx, idOf(2)), away);
  assert.deepEqual(
    ctx.lines.map(({ action }) => action),
    ["create_user"],
  );
});

test("a caller that leaves while the repository is slow is canceled", async () => {
  const { ctx, service, users } = setup();
  const stalled = users.stallNext("get");
  const pending = assert.rejects(service.get(ctx, idOf(1)), withCode("canceled"));
  await stalled;
  ctx.cancel(new AppError("canceled", "the caller is gone"));
  await pending;
});

test("update makes the next version at the time of the change", async () => {
  const { ctx, service, clock } = setup();
  const { id } = await service.create(ctx, ada);
  clock.advance(DAY_MS);
  const updated = await service.update(ctx, id, { change: { name: "Ada Lovelace" }, expected: [1] });
  assert.deepEqual(updated, {
    id,
    name: "Ada Lovelace",
    email: ada.email,
    version: 2,
    createdAt: CREATED,
    updatedAt: new Date("2026-02-01T12:00:00Z"),
  });
});

test("update and delete of a version that is not expected are stale and change nothing", async () => {
  const { ctx, service } = setup();
  const created = await service.create(ctx, ada);
  const stale = service.update(ctx, created.id, { change: { name: "never" }, expected: [2] });
  await assert.rejects(stale, withCode("stale"));
  await assert.rejects(service.delete(ctx, created.id, { expected: [] }), withCode("stale"));
  assert.deepEqual(await service.get(ctx, created.id), created);
});

test("a cursor that is not ours is invalid", async () => {
  const { ctx, service } = setup();
  await assert.rejects(service.list(ctx, { limit: 1, cursor: "nope" }), withCode("invalid"));
});

test("pages of any size hold every user once, in the order of creation, and none of them is empty", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(12), fc.integer({ min: 1, max: 13 }), async (count, limit) => {
      const { ctx, service } = setup();
      const created: User[] = [];
      for (let n = 1; n <= count; n++)
        created.push(await service.create(ctx, { name: `${n}`, email: `${n}@example.com` }));
      const listed: User[] = [];
      let cursor: string | undefined;
      do {
        const page = await service.list(ctx, { limit, ...(cursor !== undefined && { cursor }) });
        assert.ok(page.users.length > 0 || count === 0);
        listed.push(...page.users);
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      assert.deepEqual(listed, created);
    }),
    { numRuns: 50 },
  );
});

function setup() {
  const users = faulty(new MemoryUserRepository());
  const clock = manualClock(CREATED);
  let made = 0;
  const service = new UserService({ users, newId: () => idOf(++made), now: clock.now });
  return { ctx: testContext(), service, users, clock };
}

function idOf(n: number): string {
  return `01932c07-4e2a-7d53-9b1f-${n.toString(16).padStart(12, "0")}`;
}

function withCode(code: AppError["code"]): (thrown: unknown) => boolean {
  return (thrown) => hasCode(thrown, code);
}
