export { ById, DEFAULT_LIMIT, Money, NewOrder, Order, OrderItem, OrderPage, ordersApi, Page } from "./api.ts";
export { orderCanceled, orderPaid, orderPlaced } from "./events.ts";
