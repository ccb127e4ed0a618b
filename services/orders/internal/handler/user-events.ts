import { userCreated, userDeleted, userUpdated } from "@services/users";
import { type EventHandler, on } from "parapet/messaging";
import type { Customer } from "../model/customer.ts";
import type { OrderService } from "../service/order-service.ts";

/** What users' events mean here. */
export function userEvents(orders: OrderService): readonly EventHandler[] {
  return [
    on(userCreated, (ctx, { data, once }) => orders.customerHeardOf(ctx, toCustomer(data), once)),
    on(userUpdated, (ctx, { data, once }) => orders.customerHeardOf(ctx, toCustomer(data), once)),
    on(userDeleted, (ctx, { data, once }) => orders.customerDeleted(ctx, toCustomer(data), once)),
  ];
}

function toCustomer({ id, version }: { readonly id: string; readonly version: number }): Customer {
  return { id, version, isDeleted: false };
}
