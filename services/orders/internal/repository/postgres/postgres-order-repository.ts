import type { Context } from "parapet/context";
import { sql, type Transaction } from "parapet/postgres";
import { type Order, orderNotFound } from "../../model/order.ts";
import type { OrderRange, OrderRepository } from "../../model/order-repository.ts";
import { listOrders } from "./list-orders.ts";
import { OrderRow, toOrder } from "./order-row.ts";

export class PostgresOrderRepository implements OrderRepository {
  readonly #tx: Transaction;

  constructor(tx: Transaction) {
    this.#tx = tx;
  }

  list(ctx: Context, range: OrderRange): Promise<Order[]> {
    return listOrders(ctx, this.#tx, range);
  }

  async get(ctx: Context, id: string): Promise<Order> {
    return found(
      await this.#tx.query(
        ctx,
        sql(OrderRow)`
          select id, user_id, items, amount, currency, status, cancel_reason, version, created_at, updated_at
          from orders where id = ${id}`,
      ),
    );
  }

  async create(
    ctx: Context,
    { id, userId, items, total, status, version, createdAt, updatedAt }: Order,
  ): Promise<void> {
    ctx.throwIfDone();
    this.#tx.executeSoon(sql`
      insert into orders (id, user_id, items, amount, currency, status, version, created_at, updated_at)
      values (${id}, ${userId}, ${JSON.stringify(items)}::jsonb, ${total.amount}::int8, ${total.currency}, ${status},
        ${version}, ${createdAt}, ${updatedAt})`);
  }

  async update(ctx: Context, id: string, change: (order: Order) => Order): Promise<Order> {
    const changed = change(await this.#lock(ctx, id));
    this.#save(changed);
    return changed;
  }

  async updateOpen(
    ctx: Context,
    { userId, limit }: { readonly userId: string; readonly limit: number },
    change: (order: Order) => Order,
  ): Promise<Order[]> {
    const rows = await this.#tx.query(
      ctx,
      sql(OrderRow)`
        select id, user_id, items, amount, currency, status, cancel_reason, version, created_at, updated_at
        from orders where user_id = ${userId} and status = 'open' order by id limit ${limit} for update`,
    );
    const changed = rows.map((row) => change(toOrder(row)));
    for (const order of changed) this.#save(order);
    return changed;
  }

  async #lock(ctx: Context, id: string): Promise<Order> {
    return found(
      await this.#tx.query(
        ctx,
        sql(OrderRow)`
          select id, user_id, items, amount, currency, status, cancel_reason, version, created_at, updated_at
          from orders where id = ${id} for update`,
      ),
    );
  }

  /** What an order has changed once it was placed. */
  #save({ id, status, cancelReason, version, updatedAt }: Order): void {
    this.#tx.executeSoon(sql`
      update orders set status = ${status}, cancel_reason = ${cancelReason ?? null}, version = ${version}, updated_at = ${updatedAt}
      where id = ${id}`);
  }
}

function found(rows: readonly OrderRow[]): Order {
  const [row] = rows;
  if (row === undefined) throw orderNotFound();
  return toOrder(row);
}
