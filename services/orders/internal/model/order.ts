import { AppError } from "parapet/errors";

/** What is ordered, and what one of it costs in the order's currency, in whole minor units. */
export interface OrderItem {
  readonly sku: string;
  readonly quantity: number;
  readonly unitAmount: number;
}

/** An amount in whole minor units of an ISO 4217 currency. */
export interface Money {
  readonly amount: number;
  readonly currency: string;
}

export type OrderStatus = "open" | "paid" | "canceled";
export type CancelReason = "requested" | "customer_deleted";

export interface Order {
  /** A UUID in lower case. Version 7: in the order of their ids, orders are in the order in which they were placed. */
  readonly id: string;
  readonly userId: string;
  readonly items: readonly OrderItem[];
  readonly total: Money;
  readonly status: OrderStatus;
  /** Of a canceled order. */
  readonly cancelReason: CancelReason | undefined;
  /** 1 for a new order, one more with each change. */
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export type NewOrder = Pick<Order, "userId" | "items"> & Pick<Money, "currency">;

/** The versions of an order that a caller has in mind; undefined when it does not care. */
export type ExpectedVersions = readonly number[] | undefined;

/** The one spelling of an id; UUIDs are read in either case. */
export function toId(uuid: string): string {
  return uuid.toLowerCase();
}

/** An order as it is placed. */
export function newOrder(id: string, { userId, items, currency }: NewOrder, now: Date): Order {
  const amount = items.reduce((sum, { quantity, unitAmount }) => sum + quantity * unitAmount, 0);
  return {
    id,
    userId,
    items,
    total: { amount, currency },
    status: "open",
    cancelReason: undefined,
    version: 1,
    createdAt: now,
    updatedAt: now,
  };
}

/** The order, paid. Throws `conflict` unless it is open. */
export function pay(order: Order, now: Date): Order {
  assertOpen(order, "only an open order can be paid");
  return { ...order, status: "paid", version: order.version + 1, updatedAt: now };
}

/** The order, canceled. Throws `conflict` unless it is open. */
export function cancel(order: Order, cancelReason: CancelReason, now: Date): Order {
  assertOpen(order, "only an open order can be canceled");
  return { ...order, status: "canceled", cancelReason, version: order.version + 1, updatedAt: now };
}

/** Throws `stale` when the order has none of the expected versions. */
export function assertExpected(order: Order, expected: ExpectedVersions): void {
  if (expected === undefined || expected.includes(order.version)) return;
  throw new AppError("stale", "the order has another version by now");
}

/** `not_found`, in the words of every repository. */
export function orderNotFound(): AppError {
  return new AppError("not_found", "no order has this id");
}

function assertOpen({ status }: Order, message: string): void {
  if (status !== "open") throw new AppError("conflict", message, { fields: { status } });
}
