import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { type Context, withCancel } from "parapet/context";
import { AppError, type ErrorCode, hasCode } from "parapet/errors";
import { Replayed, testContext, testOnce } from "parapet/testing";
import type { Customer } from "./customer.ts";
import { cancel, newOrder, type Order, pay } from "./order.ts";
import type { OrderStore } from "./order-store.ts";

const EARLY = new Date("2026-01-31T12:00:00.001Z");
const LATE = new Date("2026-01-31T12:00:00.002Z");
const ADA = "01932c07-4e2a-7d53-9b1f-00000000000a";
const BOB = "01932c07-4e2a-7d53-9b1f-00000000000b";

const items = [{ sku: "tea", quantity: 2, unitAmount: 450 }];
const orderOf = (n: number, userId = ADA): Order =>
  newOrder(`01932c07-4e2a-7d53-9b1f-0000000000${10 + n}`, { userId, currency: "EUR", items }, EARLY);
const [first, second, third] = [orderOf(1), orderOf(2), orderOf(3)];

/** A store, and what it is known to have announced. */
export interface OrderStoreUnderTest {
  readonly store: OrderStore;
  /** The kinds and ids of the facts that were announced, oldest first. */
  announced(): Promise<readonly string[]>;
}

/** What holds for every `OrderStore`. `make` gives an empty one, and cleans up with the test. */
export function orderStoreSuite(name: string, make: (t: TestContext) => Promise<OrderStoreUnderTest>): void {
  const holds = (title: string, body: (ctx: Context, under: OrderStoreUnderTest) => Promise<void>): void => {
    test(title, async (t) => body(testContext(), await make(t)));
  };

  describe(`${name} keeps orders`, () => {
    holds("an order comes back as it was, also after each of its changes", async (ctx, { store }) => {
      const greatest = { ...first, total: { amount: 1e15, currency: "JPY" } };
      await create(ctx, store, greatest, second);
      assert.deepEqual(await store.orders.get(ctx, first.id), greatest);
      const paid = await store.transaction(ctx, (tx) => tx.orders.update(ctx, first.id, (order) => pay(order, LATE)));
      assert.deepEqual(paid, pay(greatest, LATE));
      assert.deepEqual(await store.orders.get(ctx, first.id), paid);
      await store.transaction(ctx, (tx) =>
        tx.orders.update(ctx, second.id, (order) => cancel(order, "requested", LATE)),
      );
      assert.deepEqual(await store.orders.get(ctx, second.id), cancel(second, "requested", LATE));
    });

    holds("an order that is not there is not found, nor changed", async (ctx, { store }) => {
      await assertThrows("not_found", store.orders.get(ctx, first.id));
      const missing = store.transaction(ctx, (tx) => tx.orders.update(ctx, first.id, (order) => order));
      await assertThrows("not_found", missing);
    });

    holds("a change that throws leaves the order as it was", async (ctx, { store }) => {
      await create(ctx, store, first);
      const refused = new AppError("conflict", "no");
      const changing = store.transaction(ctx, (tx) =>
        tx.orders.update(ctx, first.id, () => {
          throw refused;
        }),
      );
      await assert.rejects(changing, refused);
      assert.deepEqual(await store.orders.get(ctx, first.id), first);
    });

    holds("of two changes at once the second sees what the first one did", async (ctx, { store }) => {
      await create(ctx, store, first);
      const paying = () => store.transaction(ctx, (tx) => tx.orders.update(ctx, first.id, (order) => pay(order, LATE)));
      const outcomes = await Promise.allSettled([paying(), paying()]);
      assert.deepEqual(outcomes.map(({ status }) => status).toSorted(), ["fulfilled", "rejected"]);
      const refused = outcomes.find((outcome) => outcome.status === "rejected");
      assert.ok(hasCode(refused?.reason, "conflict"));
    });
  });

  describe(`${name} lists the orders of a user`, () => {
    holds(
      "those of others are left out, and a range ends at its limit and begins after its id",
      async (ctx, { store }) => {
        await create(ctx, store, third, first, orderOf(4, BOB), second);
        const list = (after: string | undefined, limit: number) =>
          store.orders.list(ctx, { userId: ADA, after, limit });
        assert.deepEqual(await list(undefined, 10), [first, second, third]);
        assert.deepEqual(await list(undefined, 2), [first, second]);
        assert.deepEqual(await list(second.id, 2), [third]);
        assert.deepEqual(await list(third.id, 2), []);
        assert.deepEqual(await store.orders.list(ctx, { userId: first.id, after: undefined, limit: 1 }), []);
      },
    );

    holds("only what is open is changed as such, as many as asked for, the oldest first", async (ctx, { store }) => {
      await create(ctx, store, first, second, third, orderOf(4, BOB));
      await store.transaction(ctx, (tx) => tx.orders.update(ctx, first.id, (order) => pay(order, LATE)));
      const cancelOpen = (limit: number) =>
        store.transaction(ctx, (tx) =>
          tx.orders.updateOpen(ctx, { userId: ADA, limit }, (order) => cancel(order, "customer_deleted", LATE)),
        );
      assert.deepEqual(await cancelOpen(1), [cancel(second, "customer_deleted", LATE)]);
      assert.deepEqual(await cancelOpen(5), [cancel(third, "customer_deleted", LATE)]);
      assert.deepEqual(await cancelOpen(5), []);
      assert.equal((await store.orders.get(ctx, first.id)).status, "paid");
      assert.equal((await store.orders.get(ctx, orderOf(4).id)).status, "open");
    });
  });

  describe(`${name} knows customers`, () => {
    const hear = (ctx: Context, store: OrderStore, ...all: readonly Omit<Customer, "id">[]) =>
      store.transaction(ctx, async (tx) => {
        for (const heard of all) await tx.customers.hear(ctx, { id: ADA, ...heard });
      });

    holds("nobody is known of whom nothing was heard", async (ctx, { store }) => {
      assert.equal(await store.customers.find(ctx, ADA), undefined);
    });

    holds(
      "the newest that was heard is known, whatever comes late, and who is deleted stays so",
      async (ctx, { store }) => {
        await hear(ctx, store, { version: 2, isDeleted: false }, { version: 1, isDeleted: false });
        assert.deepEqual(await store.customers.find(ctx, ADA), { id: ADA, version: 2, isDeleted: false });
        await hear(ctx, store, { version: 2, isDeleted: true });
        await hear(ctx, store, { version: 3, isDeleted: false }, { version: 1, isDeleted: false });
        assert.deepEqual(await store.customers.find(ctx, ADA), { id: ADA, version: 3, isDeleted: true });
      },
    );

    holds("one who is held is known from then on, and is as was heard", async (ctx, { store }) => {
      const hold = () => store.transaction(ctx, (tx) => tx.customers.hold(ctx, ADA));
      assert.deepEqual(await hold(), { id: ADA, version: 0, isDeleted: false });
      assert.deepEqual(await store.customers.find(ctx, ADA), { id: ADA, version: 0, isDeleted: false });
      await hear(ctx, store, { version: 1, isDeleted: true });
      assert.deepEqual(await hold(), { id: ADA, version: 1, isDeleted: true });
    });

    holds(
      "who is heard to be gone finds every order that was placed, though both happen at once",
      async (ctx, { store }) => {
        const place = (order: Order) =>
          store.transaction(ctx, async (tx) => {
            if ((await tx.customers.hold(ctx, ADA)).isDeleted) return "refused";
            await tx.orders.create(ctx, order);
            return "placed";
          });
        const leave = () =>
          store.transaction(ctx, async (tx) => {
            await tx.customers.hear(ctx, { id: ADA, version: 1, isDeleted: true });
            return tx.orders.updateOpen(ctx, { userId: ADA, limit: 100 }, (order) =>
              cancel(order, "customer_deleted", LATE),
            );
          });
        const placing = Array.from({ length: 20 }, (_, n) => place(orderOf(n)));
        const [canceled, ...placed] = await Promise.all([leave(), ...placing]);
        const all = await store.orders.list(ctx, { userId: ADA, after: undefined, limit: 100 });
        assert.ok(all.every(({ status }) => status === "canceled"));
        assert.equal(all.length, canceled.length);
        assert.equal(placed.filter((outcome) => outcome === "placed").length, canceled.length);
      },
    );
  });

  describe(`${name} commits all of a transaction or nothing`, () => {
    holds(
      "what was changed and announced together is there together, in the order of the commits",
      async (ctx, under) => {
        const { store } = under;
        await store.transaction(ctx, async (tx) => {
          await tx.orders.create(ctx, first);
          assert.deepEqual(await tx.orders.get(ctx, first.id), first);
          assert.deepEqual(await tx.orders.list(ctx, { userId: ADA, after: undefined, limit: 2 }), [first]);
          tx.announce({ kind: "order_placed", order: first });
        });
        await store.transaction(ctx, async (tx) => {
          tx.announce({
            kind: "order_paid",
            order: await tx.orders.update(ctx, first.id, (order) => pay(order, LATE)),
          });
        });
        assert.deepEqual(await under.announced(), [`order_placed ${first.id}`, `order_paid ${first.id}`]);
      },
    );

    holds("when the work throws, nothing was changed, heard or announced", async (ctx, under) => {
      const broken = new AppError("stale", "the work changed its mind");
      const failing = under.store.transaction(ctx, async (tx) => {
        await tx.orders.create(ctx, first);
        await tx.customers.hear(ctx, { id: ADA, version: 1, isDeleted: true });
        tx.announce({ kind: "order_placed", order: first });
        throw broken;
      });
      await assert.rejects(failing, broken);
      await assertThrows("not_found", under.store.orders.get(ctx, first.id));
      assert.equal(await under.store.customers.find(ctx, ADA), undefined);
      assert.deepEqual(await under.announced(), []);
    });

    holds("a claim that comes again is replayed, and its work does not run", async (ctx, { store }) => {
      const placing = (order: Order) =>
        store.transaction(
          ctx,
          async (tx) => {
            await tx.orders.create(ctx, order);
            return order.id;
          },
          testOnce("k"),
        );
      assert.equal(await placing(first), first.id);
      await assert.rejects(placing(second), (thrown) => thrown instanceof Replayed && thrown.reply === first.id);
      await assertThrows("not_found", store.orders.get(ctx, second.id));
    });

    holds("a caller that is gone changes nothing and learns nothing", async (ctx, { store }) => {
      await create(ctx, store, first);
      await withCancel(ctx, async (gone, leave) => {
        leave(new AppError("canceled", "the caller is gone"));
        await assertThrows("canceled", store.orders.get(gone, first.id));
        await assertThrows("canceled", store.orders.list(gone, { userId: ADA, after: undefined, limit: 1 }));
        await assertThrows("canceled", store.customers.find(gone, ADA));
        await assertThrows("canceled", create(gone, store, second));
      });
      await assertThrows("not_found", store.orders.get(ctx, second.id));
    });
  });
}

async function create(ctx: Context, store: OrderStore, ...some: readonly Order[]): Promise<void> {
  for (const order of some) await store.transaction(ctx, (tx) => tx.orders.create(ctx, order));
}

async function assertThrows(code: ErrorCode, attempt: Promise<unknown>): Promise<void> {
  await assert.rejects(attempt, (thrown) => hasCode(thrown, code), `expected ${code}`);
}
