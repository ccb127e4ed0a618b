import type { Context } from "parapet/context";
import type { Once } from "parapet/contract";
import { AppError, hasCode } from "parapet/errors";
import { type Customer, noSuchCustomer, type UserDirectory } from "../model/customer.ts";
import {
  assertExpected,
  cancel,
  type ExpectedVersions,
  type NewOrder,
  newOrder,
  type Order,
  pay,
} from "../model/order.ts";
import type { OrderRange } from "../model/order-repository.ts";
import type { OrderFact, OrderStore } from "../model/order-store.ts";

export interface OrderPage {
  readonly orders: readonly Order[];
  /** The id that the next page comes after; undefined on the last page. */
  readonly nextAfter: string | undefined;
}

/** Which order is to change, and how it is to happen once. */
export interface OrderMove {
  readonly id: string;
  readonly expected?: ExpectedVersions;
  readonly once: Once<Order>;
}

interface OrderServiceDependencies {
  readonly store: OrderStore;
  readonly users: UserDirectory;
  /** Gives UUIDs that sort by creation, version 7. */
  readonly newId: () => string;
  readonly now: () => Date;
}

/** What one transaction cancels at most: its locks and its events are held until its commit. */
const CANCELED_AT_ONCE = 100;

/** What the orders service does, whatever brings the calls and whatever keeps the orders. */
export class OrderService {
  readonly #store: OrderStore;
  readonly #users: UserDirectory;
  readonly #newId: () => string;
  readonly #now: () => Date;

  constructor({ store, users, newId, now }: OrderServiceDependencies) {
    this.#store = store;
    this.#users = users;
    this.#newId = newId;
    this.#now = now;
  }

  /** A page of a user's orders, oldest first. */
  async list(ctx: Context, { userId, limit, after }: OrderRange): Promise<OrderPage> {
    // One more than asked for tells whether there is a next page.
    const found = await this.#store.orders.list(ctx, { userId, after, limit: limit + 1 });
    const orders = found.slice(0, limit);
    return { orders, nextAfter: found.length > limit ? orders.at(-1)?.id : undefined };
  }

  /** Throws `not_found`. */
  async get(ctx: Context, id: string): Promise<Order> {
    return this.#store.orders.get(ctx, id);
  }

  /**
   * Saves the order and announces it, both or neither. Throws `invalid` when there is no such user, and `unavailable` when neither the
   * users service nor what is known here tells.
   */
  async place(ctx: Context, request: NewOrder, once: Once<Order>): Promise<Order> {
    const isThere = await this.#isUser(ctx, request.userId);
    const placed = await this.#store.transaction(
      ctx,
      async (tx) => {
        // Here, and not before: an order that was placed is told again under its key, though its user is gone by now.
        if (!isThere) throw noSuchCustomer();
        // Held until the commit: whoever hears that the user is gone finds this order, and cancels it.
        const customer = await tx.customers.hold(ctx, request.userId);
        if (customer.isDeleted) throw noSuchCustomer();
        const order = newOrder(this.#newId(), request, this.#now());
        await tx.orders.create(ctx, order);
        tx.announce({ kind: "order_placed", order });
        return order;
      },
      once,
    );
    ctx.log.info("order created successfully", { user_id: placed.userId, order_id: placed.id, action: "create_order" });
    return placed;
  }

  /** Throws `not_found`, `conflict` unless the order is open, and `stale` for a version that is not expected. */
  async pay(ctx: Context, move: OrderMove): Promise<Order> {
    const paid = await this.#change(ctx, move, "order_paid", (order) => pay(order, this.#now()));
    ctx.log.info("order paid", { user_id: paid.userId, order_id: paid.id, action: "pay_order" });
    return paid;
  }

  /** Throws `not_found`, `conflict` unless the order is open, and `stale` for a version that is not expected. */
  async cancel(ctx: Context, move: OrderMove): Promise<Order> {
    const canceled = await this.#change(ctx, move, "order_canceled", (order) =>
      cancel(order, "requested", this.#now()),
    );
    ctx.log.info("order canceled", { user_id: canceled.userId, order_id: canceled.id, action: "cancel_order" });
    return canceled;
  }

  /** Notes what users' events say of a user who is there. */
  async customerHeardOf(ctx: Context, customer: Customer, once: Once<void>): Promise<void> {
    await this.#store.transaction(ctx, (tx) => tx.customers.hear(ctx, customer), once);
  }

  /** Notes that a user is gone, and cancels the orders that are open: each is announced with its own cancellation. */
  async customerDeleted(ctx: Context, customer: Customer, once: Once<number>): Promise<void> {
    // From the first of these on no order is placed for the user any more, so that there is a last one.
    while ((await this.#cancelSome(ctx, customer)) === CANCELED_AT_ONCE);
    await this.#cancelSome(ctx, customer, once);
  }

  /** The users service knows best. While it is away, whoever is known here was a user when we last heard. */
  async #isUser(ctx: Context, id: string): Promise<boolean> {
    try {
      return await this.#users.has(ctx, id);
    } catch (thrown) {
      if (ctx.done !== undefined || !hasCode(thrown, "unavailable", "timeout")) throw thrown;
      const known = await this.#store.customers.find(ctx, id);
      if (known === undefined) throw customerUnknown(thrown);
      ctx.log.debug("the users service does not answer, its events do", { user_id: id, error: thrown });
      return !known.isDeleted;
    }
  }

  #change(
    ctx: Context,
    { id, expected, once }: OrderMove,
    kind: OrderFact["kind"],
    change: (order: Order) => Order,
  ): Promise<Order> {
    return this.#store.transaction(
      ctx,
      async (tx) => {
        const order = await tx.orders.update(ctx, id, (order) => {
          assertExpected(order, expected);
          return change(order);
        });
        tx.announce({ kind, order });
        return order;
      },
      once,
    );
  }

  async #cancelSome(ctx: Context, customer: Customer, once?: Once<number>): Promise<number> {
    const canceled = await this.#store.transaction(
      ctx,
      async (tx) => {
        await tx.customers.hear(ctx, { ...customer, isDeleted: true });
        const open = { userId: customer.id, limit: CANCELED_AT_ONCE };
        const orders = await tx.orders.updateOpen(ctx, open, (order) => cancel(order, "customer_deleted", this.#now()));
        for (const order of orders) tx.announce({ kind: "order_canceled", order });
        return orders.length;
      },
      once,
    );
    if (canceled > 0)
      ctx.log.info("orders canceled", { user_id: customer.id, orders: canceled, action: "cancel_orders" });
    return canceled;
  }
}

function customerUnknown(cause: AppError): AppError {
  const { retryAfterMs } = cause;
  const message = "whether there is such a user can't be told now";
  return new AppError("unavailable", message, { cause, ...(retryAfterMs !== undefined && { retryAfterMs }) });
}
