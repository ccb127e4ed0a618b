import { event } from "parapet/contract";
import { Order } from "./api.ts";

/** An order was placed: the order as it is. */
export const orderPlaced = event("orders.order.placed.v1", Order);
/** An order was paid: the order as it is now. */
export const orderPaid = event("orders.order.paid.v1", Order);
/** An order was canceled, by request or since its customer is gone: the order as it is now. */
export const orderCanceled = event("orders.order.canceled.v1", Order);
