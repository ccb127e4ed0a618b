import { type RowOf, row } from "parapet/postgres";
import type { CancelReason, Order, OrderItem, OrderStatus } from "../../model/order.ts";

export const OrderRow = row({
  id: "uuid",
  user_id: "uuid",
  items: "jsonb",
  amount: "int8",
  currency: "text",
  status: "text",
  cancel_reason: "text?",
  version: "int4",
  created_at: "timestamptz",
  updated_at: "timestamptz",
});
export type OrderRow = RowOf<typeof OrderRow>;

export function toOrder({
  id,
  user_id,
  items,
  amount,
  currency,
  status,
  cancel_reason,
  version,
  ...times
}: OrderRow): Order {
  return {
    id,
    userId: user_id,
    items: items as readonly OrderItem[],
    total: { amount: Number(amount), currency },
    // The table's own checks.
    status: status as OrderStatus,
    cancelReason: (cancel_reason as CancelReason | null) ?? undefined,
    version,
    createdAt: times.created_at,
    updatedAt: times.updated_at,
  };
}
