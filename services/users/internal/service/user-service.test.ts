import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { AppError, hasCode } from "parapet/errors";
import { faulty, manualClock, Replayed, testContext, testOnce } from "parapet/testing";
import type { User } from "../model/user.ts";
import { MemoryUserStore } from "../repository/memory/memory-user-store.ts";
import { UserService } from "./user-service.ts";

const CREATED = new Date("2026-01-31T12:00:00Z");
const DAY_MS = 86_400_000;
const ada = { name: "Ada", email: "ada@example.com" };

test("create gives the user an id and its first version, and keeps it", async () => {
  const { ctx, service, store } = setup();
  const created = await service.create(ctx, ada, testOnce());
  assert.deepEqual(created, { ...ada, id: idOf(1), version: 1, createdAt: CREATED, updatedAt: CREATED });
  assert.equal(store.callsOf("transaction").length, 1);
  assert.deepEqual(await service.get(ctx, created.id), created);
});

test("what was done to whom is logged, and nothing personal", async () => {
  const { ctx, service } = setup();
  const { id } = await service.create(ctx, ada, testOnce());
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

test("what happened is announced with what was changed, once, and a change without a difference is not", async () => {
  const { ctx, service, store } = setup();
  const created = await service.create(ctx, ada, testOnce());
  await service.update(ctx, created.id, { change: { name: "Ada" } });
  const updated = await service.update(ctx, created.id, { change: { name: "Ada L." } });
  await service.delete(ctx, created.id);
  assert.deepEqual(store.facts, [
    { kind: "user_created", user: created },
    { kind: "user_updated", user: updated },
    { kind: "user_deleted", user: updated },
  ]);
});

test("a request that comes again creates nobody and is not logged as if it did", async () => {
  const { ctx, service, store } = setup();
  const created = await service.create(ctx, ada, testOnce("k"));
  await assert.rejects(service.create(ctx, ada, testOnce("k")), (thrown) => {
    return thrown instanceof Replayed && (thrown.reply as { id: string }).id === created.id;
  });
  assert.equal(store.facts.length, 1);
  assert.equal(ctx.lines.length, 1);
});

test("what the store could not do is thrown as it is, and not logged as done", async () => {
  const { ctx, service, store } = setup();
  const away = new AppError("unavailable", "the database is away");
  store.failNext("transaction", away);
  await assert.rejects(service.create(ctx, ada, testOnce()), away);
  await service.create(ctx, ada, testOnce());
  store.failNext("transaction", away);
  await assert.rejects(service.update(ctx, idOf(1), { change: { name: "Ada L." } }), away);
  store.failNext("transaction", away);
  await assert.rejects(service.delete(ctx, idOf(1)), away);
  assert.deepEqual(
    ctx.lines.map(({ action }) => action),
    ["create_user"],
  );
});

test("a caller that leaves while the store is slow is canceled", async () => {
  const { ctx, service, store } = setup();
  const stalled = store.stallNext("transaction");
  const pending = assert.rejects(service.create(ctx, ada, testOnce()), withCode("canceled"));
  await stalled;
  ctx.cancel(new AppError("canceled", "the caller is gone"));
  await pending;
});

test("update makes the next version at the time of the change", async () => {
  const { ctx, service, clock } = setup();
  const { id } = await service.create(ctx, ada, testOnce());
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
  const created = await service.create(ctx, ada, testOnce());
  const stale = service.update(ctx, created.id, { change: { name: "never" }, expected: [2] });
  await assert.rejects(stale, withCode("stale"));
  await assert.rejects(service.delete(ctx, created.id, { expected: [] }), withCode("stale"));
  assert.deepEqual(await service.get(ctx, created.id), created);
});

test("pages of any size hold every user once, in the order of creation, and none of them is empty", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(12), fc.integer({ min: 1, max: 13 }), async (count, limit) => {
      const { ctx, service } = setup();
      const created: User[] = [];
      for (let n = 1; n <= count; n++)
        created.push(await service.create(ctx, { name: `${n}`, email: `${n}@example.com` }, testOnce()));
      const listed: User[] = [];
      let after: string | undefined;
      do {
        const page = await service.list(ctx, { limit, after });
        assert.ok(page.users.length > 0 || count === 0);
        listed.push(...page.users);
        after = page.nextAfter;
      } while (after !== undefined);
      assert.deepEqual(listed, created);
    }),
    { numRuns: 50 },
  );
});

function setup() {
  const store = faulty(new MemoryUserStore());
  const clock = manualClock(CREATED);
  let made = 0;
  const service = new UserService({ store, newId: () => idOf(++made), now: clock.now });
  return { ctx: testContext(), service, store, clock };
}

function idOf(n: number): string {
  return `01932c07-4e2a-7d53-9b1f-${n.toString(16).padStart(12, "0")}`;
}

function withCode(code: AppError["code"]): (thrown: unknown) => boolean {
  return (thrown) => hasCode(thrown, code);
}
