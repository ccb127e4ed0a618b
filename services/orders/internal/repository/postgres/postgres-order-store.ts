import type { Context } from "parapet/context";
import type { Once } from "parapet/contract";
import { OnceTransactions } from "parapet/idempotency";
import { appendToOutbox } from "parapet/outbox";
import type { Database, Transaction } from "parapet/postgres";
import type { CustomerReader, OrderReader } from "../../model/order-repository.ts";
import type { OrderStore, OrderTransaction } from "../../model/order-store.ts";
import { toOrderEvent } from "./order-event.ts";
import { PostgresCustomerReader, PostgresCustomerRepository } from "./postgres-customers.ts";
import { PostgresOrderReader } from "./postgres-order-reader.ts";
import { PostgresOrderRepository } from "./postgres-order-repository.ts";

/** Keeps orders in PostgreSQL, in the table `orders`, and what is to be told of them in its outbox. */
export class PostgresOrderStore implements OrderStore {
  readonly orders: OrderReader;
  readonly customers: CustomerReader;
  readonly #transactions: OnceTransactions;

  constructor(database: Database) {
    this.orders = new PostgresOrderReader(database);
    this.customers = new PostgresCustomerReader(database);
    this.#transactions = new OnceTransactions(database);
  }

  transaction<T>(ctx: Context, work: (tx: OrderTransaction) => Promise<T>, once?: Once<T>): Promise<T> {
    return this.#transactions.run(ctx, (tx) => work(toOrderTransaction(tx)), once);
  }
}

function toOrderTransaction(tx: Transaction): OrderTransaction {
  return {
    orders: new PostgresOrderRepository(tx),
    customers: new PostgresCustomerRepository(tx),
    announce: (fact) => appendToOutbox(tx, toOrderEvent(fact)),
  };
}
