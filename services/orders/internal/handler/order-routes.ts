import { parseCursor } from "parapet/contract";
import { implement, type Route } from "parapet/http";
import { DEFAULT_LIMIT, ordersApi } from "../../pkg/client/index.ts";
import { toId } from "../model/order.ts";
import type { OrderService } from "../service/order-service.ts";
import { toOrderPage, toOrderView } from "./order-view.ts";

/** The contract's operations, answered by the service. */
export function orderRoutes(orders: OrderService): readonly Route[] {
  return implement(ordersApi, {
    listOrders: async (ctx, { query: { userId, limit = DEFAULT_LIMIT, cursor } }) => {
      const after = cursor === undefined ? undefined : parseCursor(cursor);
      return toOrderPage(await orders.list(ctx, { userId: toId(userId), limit, after }));
    },
    getOrder: async (ctx, { params }) => toOrderView(await orders.get(ctx, toId(params.id))),
    placeOrder: async (ctx, { body, once }) =>
      toOrderView(await orders.place(ctx, { ...body, userId: toId(body.userId) }, once.replying(toOrderView))),
    payOrder: async (ctx, { params, expected, once }) =>
      toOrderView(await orders.pay(ctx, { id: toId(params.id), expected, once: once.replying(toOrderView) })),
    cancelOrder: async (ctx, { params, expected, once }) =>
      toOrderView(await orders.cancel(ctx, { id: toId(params.id), expected, once: once.replying(toOrderView) })),
  });
}
