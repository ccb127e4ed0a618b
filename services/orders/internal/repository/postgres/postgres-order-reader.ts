import type { Context } from "parapet/context";
import { type Database, type Loader, sql } from "parapet/postgres";
import { type Order, orderNotFound } from "../../model/order.ts";
import type { OrderRange, OrderReader } from "../../model/order-repository.ts";
import { listOrders } from "./list-orders.ts";
import { OrderRow, toOrder } from "./order-row.ts";

/** Finds orders in PostgreSQL; reads by id of concurrent requests are one statement. */
export class PostgresOrderReader implements OrderReader {
  readonly #database: Database;
  readonly #byId: Loader<string, OrderRow>;

  constructor(database: Database) {
    this.#database = database;
    this.#byId = database.loader({
      select: (ids) => sql(OrderRow)`
        select id, user_id, items, amount, currency, status, cancel_reason, version, created_at, updated_at
        from orders where id = any(${ids})`,
      key: ({ id }) => id,
    });
  }

  list(ctx: Context, range: OrderRange): Promise<Order[]> {
    return listOrders(ctx, this.#database, range);
  }

  async get(ctx: Context, id: string): Promise<Order> {
    const found = await this.#byId.load(ctx, id);
    if (found === undefined) throw orderNotFound();
    return toOrder(found);
  }
}
