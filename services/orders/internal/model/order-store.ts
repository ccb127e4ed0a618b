import type { Context } from "parapet/context";
import type { Once } from "parapet/contract";
import type { Order } from "./order.ts";
import type { CustomerReader, CustomerRepository, OrderReader, OrderRepository } from "./order-repository.ts";

/** What happened to an order, for whoever wants to know. */
export interface OrderFact {
  readonly kind: "order_placed" | "order_paid" | "order_canceled";
  /** As it is now. */
  readonly order: Order;
}

/** Changes that happen together or not at all. */
export interface OrderTransaction {
  readonly orders: OrderRepository;
  readonly customers: CustomerRepository;
  /** Has the fact told to the world when the transaction is committed, and only then. */
  announce(fact: OrderFact): void;
}

/**
 * Keeps orders, what is known of customers, and what is to be told of orders. Every implementation passes `orderStoreSuite`. All methods throw
 * `canceled` or `timeout` when the context is done, and `unavailable` when what keeps the orders is away.
 */
export interface OrderStore {
  readonly orders: OrderReader;
  readonly customers: CustomerReader;
  /**
   * Commits what `work` did when it returns and nothing when it throws. `work` may run again, so it changes nothing else.
   * With `once`, a claim that was kept before is replayed instead.
   */
  transaction<T>(ctx: Context, work: (tx: OrderTransaction) => Promise<T>, once?: Once<T>): Promise<T>;
}
