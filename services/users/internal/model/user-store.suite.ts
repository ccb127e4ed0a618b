import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { type Context, withCancel } from "parapet/context";
import { AppError, type ErrorCode, hasCode } from "parapet/errors";
import { Replayed, testContext, testOnce } from "parapet/testing";
import { assertExpected, changeUser, newUser, type User } from "./user.ts";
import type { UserRepository } from "./user-repository.ts";
import type { UserStore, UserTransaction } from "./user-store.ts";

const EARLY = new Date("2026-01-31T12:00:00.001Z");
const LATE = new Date("2026-01-31T12:00:00.002Z");

const ada = newUser("01932c07-4e2a-7d53-9b1f-000000000001", { name: "ada", email: "ada@example.com" }, EARLY);
const bob = newUser("01932c07-4e2a-7d53-9b1f-000000000002", { name: "bob", email: "bob@example.com" }, EARLY);
const cyd = newUser("01932c07-4e2a-7d53-9b1f-000000000003", { name: "cyd", email: "cyd@example.com" }, EARLY);

/** A store, and what it is known to have announced. */
export interface UserStoreUnderTest {
  readonly store: UserStore;
  /** The kinds and ids of the facts that were announced, oldest first. */
  announced(): Promise<readonly string[]>;
}

/** What holds for every `UserStore`. `make` gives an empty one, and cleans up with the test. */
export function userStoreSuite(name: string, make: (t: TestContext) => Promise<UserStoreUnderTest>): void {
  const holds = (title: string, body: (ctx: Context, users: UserRepository) => Promise<void>): void => {
    test(title, async (t) => body(testContext(), eachInItsOwn((await make(t)).store)));
  };
  const holdsOf = (title: string, body: (ctx: Context, under: UserStoreUnderTest) => Promise<void>): void => {
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

  describe(`${name} commits all of a transaction or nothing`, () => {
    holdsOf(
      "what was changed and announced together is there together, in the order of the commits",
      async (ctx, under) => {
        await under.store.transaction(ctx, async (tx) => {
          for (const user of [ada, bob]) {
            await tx.users.create(ctx, user);
            tx.announce({ kind: "user_created", user });
          }
          assert.deepEqual(await tx.users.get(ctx, ada.id), ada);
        });
        const renamed = await under.store.transaction(ctx, async (tx) => {
          const user = await tx.users.update(ctx, ada.id, rename("Ada L."));
          tx.announce({ kind: "user_updated", user });
          return user;
        });
        await under.store.transaction(ctx, async (tx) => {
          tx.announce({ kind: "user_deleted", user: await tx.users.delete(ctx, ada.id, allow) });
        });
        assert.equal(renamed.name, "Ada L.");
        assert.deepEqual(await under.store.users.list(ctx, { after: undefined, limit: 10 }), [bob]);
        assert.deepEqual(await under.announced(), [
          `user_created ${ada.id}`,
          `user_created ${bob.id}`,
          `user_updated ${ada.id}`,
          `user_deleted ${ada.id}`,
        ]);
      },
    );

    holdsOf("when the work throws, nothing was changed and nothing announced", async (ctx, under) => {
      const broken = new AppError("stale", "the work changed its mind");
      const failing = under.store.transaction(ctx, async (tx) => {
        await tx.users.create(ctx, ada);
        tx.announce({ kind: "user_created", user: ada });
        throw broken;
      });
      await assert.rejects(failing, broken);
      assert.deepEqual(await under.store.users.list(ctx, { after: undefined, limit: 10 }), []);
      assert.deepEqual(await under.announced(), []);
    });

    holdsOf("a transaction that does nothing is one", async (ctx, under) => {
      assert.equal(await under.store.transaction(ctx, async () => 7), 7);
    });
  });

  describe(`${name} does once what is claimed once`, () => {
    const creating = (ctx: Context, store: UserStore, user: User, key: string, fingerprint?: string) =>
      store.transaction(
        ctx,
        async (tx) => {
          await tx.users.create(ctx, user);
          tx.announce({ kind: "user_created", user });
          return user.name;
        },
        testOnce(key, fingerprint),
      );

    holdsOf("a claim that comes again is replayed, and its work does not run", async (ctx, under) => {
      assert.equal(await creating(ctx, under.store, ada, "k"), "ada");
      await assert.rejects(creating(ctx, under.store, bob, "k"), replayed("ada"));
      assert.deepEqual(await under.store.users.list(ctx, { after: undefined, limit: 10 }), [ada]);
      assert.deepEqual(await under.announced(), [`user_created ${ada.id}`]);
      assert.equal(await creating(ctx, under.store, bob, "another"), "bob");
    });

    holdsOf("a key that was used for something else is refused", async (ctx, under) => {
      await creating(ctx, under.store, ada, "k");
      await assertThrows("invalid", creating(ctx, under.store, bob, "k", "another request"));
    });

    holdsOf("a claim whose work failed is free again", async (ctx, under) => {
      await creating(ctx, under.store, ada, "k");
      await assertThrows("conflict", creating(ctx, under.store, { ...bob, email: ada.email }, "l"), "email");
      assert.equal(await creating(ctx, under.store, bob, "l"), "bob");
    });

    holdsOf("F26: of many with one claim at once, one does the work and all get its reply", async (ctx, under) => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 50 }, (_, n) => {
          const id = `${ada.id.slice(0, -2)}${String(10 + n)}`;
          return creating(ctx, under.store, { ...ada, id, email: `${n}@example.com` }, "k");
        }),
      );
      const done = outcomes.filter(({ status }) => status === "fulfilled");
      const replays = outcomes.filter((one) => one.status === "rejected" && replayed("ada")(one.reason));
      assert.deepEqual([done.length, replays.length], [1, 49]);
      assert.equal((await under.store.users.list(ctx, { after: undefined, limit: 100 })).length, 1);
      assert.equal((await under.announced()).length, 1);
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

/** A repository that makes each change in a transaction of its own. */
function eachInItsOwn(store: UserStore): UserRepository {
  return {
    list: (ctx, range) => store.users.list(ctx, range),
    get: (ctx, id) => store.users.get(ctx, id),
    create: (ctx, user) => store.transaction(ctx, (tx) => tx.users.create(ctx, user)),
    update: (ctx, id, change) => store.transaction(ctx, (tx) => announced(tx, tx.users.update(ctx, id, change))),
    delete: (ctx, id, check) => store.transaction(ctx, (tx) => announced(tx, tx.users.delete(ctx, id, check))),
  };
}

/** A change that nobody hears of would stay in caches. */
async function announced(tx: UserTransaction, change: Promise<User>): Promise<User> {
  const user = await change;
  tx.announce({ kind: "user_updated", user });
  return user;
}

function replayed(reply: unknown): (thrown: unknown) => boolean {
  return (thrown) => thrown instanceof Replayed && thrown.reply === reply;
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
