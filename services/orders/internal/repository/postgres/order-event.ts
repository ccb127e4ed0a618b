import { toDateTime } from "parapet/contract";
import type { OutboxEvent } from "parapet/outbox";
import { orderCanceled, orderPaid, orderPlaced } from "../../../pkg/client/index.ts";
import type { OrderFact } from "../../model/order-store.ts";

const EVENTS = { order_placed: orderPlaced, order_paid: orderPaid, order_canceled: orderCanceled } as const;

/** A fact as the event that the world reads. */
export function toOrderEvent({ kind, order }: OrderFact): OutboxEvent {
  const { cancelReason, items, createdAt, updatedAt, ...rest } = order;
  const data = {
    ...rest,
    items: [...items],
    ...(cancelReason !== undefined && { cancelReason }),
    createdAt: toDateTime(createdAt),
    updatedAt: toDateTime(updatedAt),
  };
  return { event: EVENTS[kind], key: order.id, data };
}
