import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { type Context, withCancel } from "parapet/context";
import { AppError, type ErrorCode, hasCode } from "parapet/errors";
import { testContext } from "parapet/testing";
import { assertExpected, changeUser, newUser, type User } from "./user.ts";
import type { UserRepository } from "./user-repository.ts";

const EARLY = new Date("2026-01-31T12:00:00.001Z");
const LATE = new Date("2026-01-31T12:00:00.002Z");

const ada = newUser("01932c07-4e2a-7d53-9b1f-000000000001", { name: "ada", email: "ada@example.com" }, EARLY);
const bob = newUser("01932c07-4e2a-7d53-9b1f-000000000002", { name: "bob", email: "bob@example.com" }, EARLY);
const cyd = newUser("01932c07-4e2a-7d53-9b1f-000000000003", { name: "cyd", email: "cyd@example.com" }, EARLY);

/** What holds for every `UserRepository`. `make` gives an empty one, and cleans up with the test. */
export function userRepositorySuite(name: string, make: (t: TestContext) => Promise<UserRepository>): void {
  const holds = (title: string, body: (ctx: Context, users: UserRepository) => Promise<void>): void => {
    test(title, async (t) => body(testContext(), await make(t)));
  };

  describe(`${name} keeps users`, () => {
    holds("a created user comes back as it was", async (ctx, users) => {
      await create(ctx, users, ada);
      assert.deepEqual(await users.get(ctx, ada.id), ada);
    });

    holds("any text survives, whatever its script", async (ctx, users) => {
      const odd: User = { ...ada, name: "Ꜳ 👩‍🚀 'quoted' \\ \u202e ; drop table users; --" };
      await create(ctx, users, odd);
      assert.deepEqual(await users.get(ctx, odd.id), odd);
    });

    holds("a user that never was is not found", async (ctx, users) => {
      await create(ctx, users, bob);
      await assertThrows("not_found", users.get(ctx, ada.id));
      await assertThrows("not_found", users.update(ctx, ada.id, same));
      await assertThrows("not_found", users.delete(ctx, ada.id, allow));
    });

    holds("a deleted user is not found, and others stay", async (ctx, users) => {
      await create(ctx, users, ada, bob);
      await users.delete(ctx, ada.id, allow);
      await assertThrows("not_found", users.get(ctx, ada.id));
      await assertThrows("not_found", users.update(ctx, ada.id, same));
      await assertThrows("not_found", users.delete(ctx, ada.id, allow));
      assert.deepEqual(await users.get(ctx, bob.id), bob);
    });

    holds("a delete that its check refuses leaves the user", async (ctx, users) => {
      await create(ctx, users, ada);
      await assertThrows(
        "stale",
        users.delete(ctx, ada.id, (user) => assertExpected(user, [2])),
      );
      assert.deepEqual(await users.get(ctx, ada.id), ada);
    });
  });

  describe(`${name} changes users`, () => {
    holds("an update gives and keeps what the change made", async (ctx, users) => {
      await create(ctx, users, ada, bob);
      const renamed = changeUser(ada, { name: "Ada L.", email: "lovelace@example.com" }, LATE);
      assert.deepEqual(await users.update(ctx, ada.id, rename("Ada L.", "lovelace@example.com")), renamed);
      assert.deepEqual(await users.get(ctx, ada.id), renamed);
      assert.deepEqual(await users.get(ctx, bob.id), bob);
    });

    holds("a change without a difference keeps the version", async (ctx, users) => {
      await create(ctx, users, ada);
      assert.deepEqual(await users.update(ctx, ada.id, rename(ada.name)), ada);
      assert.deepEqual(await users.get(ctx, ada.id), ada);
    });

    holds("a change that throws leaves the user as it was", async (ctx, users) => {
      await create(ctx, users, ada);
      const refused = users.update(ctx, ada.id, (user) => {
        assertExpected(user, [7, 8]);
        return rename("never")(user);
      });
      await assertThrows("stale", refused);
      assert.deepEqual(await users.get(ctx, ada.id), ada);
    });

    holds("updates at once follow one another, and none is lost", async (ctx, users) => {
      await create(ctx, users, ada);
      const append = (letter: string) => users.update(ctx, ada.id, (user) => rename(user.name + letter)(user));
      const updated = await Promise.all([..."12345678"].map(append));
      assert.deepEqual(updated.map(({ version }) => version).sort(), [2, 3, 4, 5, 6, 7, 8, 9]);
      const { name, version } = await users.get(ctx, ada.id);
      assert.equal(version, 9);
      assert.equal([...name].sort().join(""), "12345678aad");
    });

    holds("of updates at once that expect the same version, one succeeds", async (ctx, users) => {
      await create(ctx, users, ada);
      const attempt = (name: string) =>
        users.update(ctx, ada.id, (user) => {
          assertExpected(user, [1]);
          return rename(name)(user);
        });
      const codes = await outcomes(["x", "y", "z"].map(attempt));
      assert.deepEqual(codes, ["done", "stale", "stale"]);
      assert.equal((await users.get(ctx, ada.id)).version, 2);
    });
  });

  describe(`${name} keeps email addresses unique`, () => {
    holds("a taken address is a conflict that names the field, whatever its case", async (ctx, users) => {
      await create(ctx, users, ada);
      const thief = { ...bob, email: "ADA@Example.com" };
      await assertThrows("conflict", users.create(ctx, thief), "email");
      await assertThrows("not_found", users.get(ctx, bob.id));
    });

    holds("an update to a taken address is a conflict that names the field", async (ctx, users) => {
      await create(ctx, users, ada, bob);
      await assertThrows("conflict", users.update(ctx, bob.id, rename("bob", "Ada@example.com")), "email");
      assert.deepEqual(await users.get(ctx, bob.id), bob);
    });

    holds("a user may change the case of its own address", async (ctx, users) => {
      await create(ctx, users, ada);
      const { email } = await users.update(ctx, ada.id, rename("ada", "Ada@Example.com"));
      assert.equal(email, "Ada@Example.com");
    });

    holds("an address is free again when its user left it or is deleted", async (ctx, users) => {
      await create(ctx, users, ada, bob);
      await users.update(ctx, ada.id, rename("ada", "new@example.com"));
      await users.delete(ctx, bob.id, allow);
      await create(ctx, users, { ...cyd, email: ada.email }, bob);
    });

    holds("of users created at once with one address, one is created", async (ctx, users) => {
      const rivals = [ada, bob, cyd].map((user) => ({ ...user, email: "one@example.com" }));
      const codes = await outcomes(rivals.map((user) => users.create(ctx, user)));
      assert.deepEqual(codes, ["conflict", "conflict", "done"]);
      assert.equal((await users.list(ctx, { after: undefined, limit: 10 })).length, 1);
    });
  });

  describe(`${name} lists users`, () => {
    holds("no users, an empty list", async (ctx, users) => {
      assert.deepEqual(await users.list(ctx, { after: undefined, limit: 10 }), []);
    });

    holds("users come in the order of their ids, though created in another and at one instant", async (ctx, users) => {
      await create(ctx, users, cyd, ada, bob);
      assert.deepEqual(await users.list(ctx, { after: undefined, limit: 10 }), [ada, bob, cyd]);
    });

    holds("a range ends at its limit and begins after its id", async (ctx, users) => {
      await create(ctx, users, ada, bob, cyd);
      assert.deepEqual(await users.list(ctx, { after: undefined, limit: 2 }), [ada, bob]);
      assert.deepEqual(await users.list(ctx, { after: ada.id, limit: 1 }), [bob]);
      assert.deepEqual(await users.list(ctx, { after: bob.id, limit: 2 }), [cyd]);
      assert.deepEqual(await users.list(ctx, { after: cyd.id, limit: 2 }), []);
    });

    holds("a range may begin after a user that is deleted", async (ctx, users) => {
      await create(ctx, users, ada, bob, cyd);
      await users.delete(ctx, bob.id, allow);
      assert.deepEqual(await users.list(ctx, { after: bob.id, limit: 2 }), [cyd]);
    });
  });

  describe(`${name} heeds its context`, () => {
    holds("a caller that is gone changes nothing and learns nothing", async (ctx, users) => {
      await create(ctx, users, ada);
      await withCancel(ctx, async (gone, cancel) => {
        cancel(new AppError("canceled", "the caller is gone"));
        await assertThrows("canceled", users.list(gone, { after: undefined, limit: 10 }));
        await assertThrows("canceled", users.get(gone, ada.id));
        await assertThrows("canceled", users.create(gone, bob));
        await assertThrows("canceled", users.update(gone, ada.id, rename("never")));
        await assertThrows("canceled", users.delete(gone, ada.id, allow));
      });
      assert.deepEqual(await users.list(ctx, { after: undefined, limit: 10 }), [ada]);
    });
  });
}

const allow = () => {};
const same = (user: User) => user;

function rename(name: string, email?: string): (user: User) => User {
  return (user) => changeUser(user, { name, email: email ?? user.email }, LATE);
}

async function create(ctx: Context, users: UserRepository, ...some: readonly User[]): Promise<void> {
  for (const user of some) await users.create(ctx, user);
}

async function assertThrows(code: ErrorCode, attempt: Promise<unknown>, field?: string): Promise<void> {
  await assert.rejects(attempt, (thrown: unknown) => {
    assert.ok(hasCode(thrown, code), `expected ${code}, got ${thrown}`);
    assert.equal(thrown.violations[0]?.field, field);
    return true;
  });
}

/** How attempts ended, `done` or the code, in alphabetical order. */
async function outcomes(attempts: readonly Promise<unknown>[]): Promise<string[]> {
  const settled = await Promise.allSettled(attempts);
  return settled.map((one) => (one.status === "fulfilled" ? "done" : codeOf(one.reason))).sort();
}

function codeOf(thrown: unknown): string {
  return thrown instanceof AppError ? thrown.code : String(thrown);
}
