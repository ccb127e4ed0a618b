import type { Context } from "parapet/context";
import { type Queryable, sql } from "parapet/postgres";
import type { Order } from "../../model/order.ts";
import type { OrderRange } from "../../model/order-repository.ts";
import { OrderRow, toOrder } from "./order-row.ts";

const BEFORE_ALL_IDS = "00000000-0000-0000-0000-000000000000";

/** The orders of a range, in the order of their ids. */
export async function listOrders(
  ctx: Context,
  db: Queryable,
  { userId, after = BEFORE_ALL_IDS, limit }: OrderRange,
): Promise<Order[]> {
  const rows = await db.query(
    ctx,
    sql(OrderRow)`
      select id, user_id, items, amount, currency, status, cancel_reason, version, created_at, updated_at
      from orders where user_id = ${userId} and id > ${after} order by id limit ${limit}`,
  );
  return rows.map(toOrder);
}
