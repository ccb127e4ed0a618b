import { toCursor, toDateTime } from "parapet/contract";
import type { OrderPage as OrderPageView, Order as OrderView } from "../../pkg/client/index.ts";
import type { Order } from "../model/order.ts";
import type { OrderPage } from "../service/order-service.ts";

/** An order as the contract has it. */
export function toOrderView({ cancelReason, items, createdAt, updatedAt, ...order }: Order): OrderView {
  return {
    ...order,
    items: [...items],
    ...(cancelReason !== undefined && { cancelReason }),
    createdAt: toDateTime(createdAt),
    updatedAt: toDateTime(updatedAt),
  };
}

/** A page of orders as the contract has it. */
export function toOrderPage({ orders, nextAfter }: OrderPage): OrderPageView {
  const items = orders.map(toOrderView);
  return nextAfter === undefined ? { items } : { items, nextCursor: toCursor(nextAfter) };
}
