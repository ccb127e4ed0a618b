import type { Context } from "parapet/context";
import type { Customer } from "./customer.ts";
import type { Order } from "./order.ts";

/** A stretch of the list of a user's orders. */
export interface OrderRange {
  readonly userId: string;
  /** The id that the first order comes after; undefined starts at the beginning. */
  readonly after: string | undefined;
  /** The most orders to give. */
  readonly limit: number;
}

/** Finds orders. */
export interface OrderReader {
  /** The orders of the range, in the order of their ids. */
  list(ctx: Context, range: OrderRange): Promise<Order[]>;
  /** Throws `not_found`. */
  get(ctx: Context, id: string): Promise<Order>;
}

/** Finds and changes orders within a transaction. */
export interface OrderRepository extends OrderReader {
  create(ctx: Context, order: Order): Promise<void>;
  /**
   * Locks the order, applies `change`, saves. `change` is synchronous, so that no call can hide under a row lock; when it
   * throws, the order stays. Throws `not_found`.
   */
  update(ctx: Context, id: string, change: (order: Order) => Order): Promise<Order>;
  /** Locks open orders of a user, at most `limit`, applies `change` to each, saves them, and gives what they are now. */
  updateOpen(
    ctx: Context,
    { userId, limit }: { readonly userId: string; readonly limit: number },
    change: (order: Order) => Order,
  ): Promise<Order[]>;
}

/** Finds customers. */
export interface CustomerReader {
  /** Undefined for one of whom nothing is known. */
  find(ctx: Context, id: string): Promise<Customer | undefined>;
}

/** Finds and notes customers within a transaction. */
export interface CustomerRepository extends CustomerReader {
  /**
   * Gives what is known of a customer, who stays so until the transaction is over: it can't be deleted meanwhile. One who was not known is
   * from now on, in version 0.
   */
  hold(ctx: Context, id: string): Promise<Customer>;
  /** Notes what was heard of a customer; what is newer stays. (`afterHearing`.) */
  hear(ctx: Context, heard: Customer): Promise<void>;
}
