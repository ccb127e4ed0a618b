import { api, get, post } from "parapet/contract";
import { type Static, Type } from "typebox";

const id = Type.String({ format: "uuid", description: "a UUID, for example 01932c07-4e2a-7d53-9b1f-6a2f0c8e5d41" });
const time = Type.String({ format: "date-time" });

const currency = Type.String({ pattern: "^[A-Z]{3}$", description: "an ISO 4217 code, for example EUR" });

/** Whole minor units: cents of a euro, yen of a yen. Sums of all that an order may hold stay exact. */
const unitAmount = Type.Integer({
  minimum: 0,
  maximum: 1_000_000_000,
  description: "a whole number of minor units: 1250 for 12.50 EUR",
});

/** Which order. */
export const ById = Type.Object({ id });

/** What is ordered, and what one of it costs. */
export const OrderItem = Type.Object(
  {
    sku: Type.String({
      minLength: 1,
      maxLength: 64,
      pattern: "^[\\w.-]+$",
      description: "letters, digits, _, . and -",
    }),
    quantity: Type.Integer({ minimum: 1, maximum: 10_000 }),
    unitAmount,
  },
  { $id: "OrderItem" },
);
export type OrderItem = Static<typeof OrderItem>;

const items = Type.Array(OrderItem, { minItems: 1, maxItems: 100 });

/** An amount of money. */
export const Money = Type.Object({ amount: Type.Integer({ minimum: 0 }), currency }, { $id: "Money" });
export type Money = Static<typeof Money>;

const status = Type.Union([Type.Literal("open"), Type.Literal("paid"), Type.Literal("canceled")]);
const cancelReason = Type.Union([Type.Literal("requested"), Type.Literal("customer_deleted")]);

/** An order as the world sees it. `version` counts its changes and is its `ETag`. */
export const Order = Type.Object(
  {
    id,
    userId: id,
    items,
    total: Money,
    status,
    cancelReason: Type.Optional(cancelReason),
    version: Type.Integer({ minimum: 1 }),
    createdAt: time,
    updatedAt: time,
  },
  { $id: "Order" },
);
export type Order = Static<typeof Order>;

/** What it takes to place an order: all items in one currency. */
export const NewOrder = Type.Object({ userId: id, currency, items }, { $id: "NewOrder" });
export type NewOrder = Static<typeof NewOrder>;

/** How many orders a page holds when the caller does not say. */
export const DEFAULT_LIMIT = 20;

/** Whose orders, and which page of them. */
export const Page = Type.Object({
  userId: id,
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: DEFAULT_LIMIT })),
  cursor: Type.Optional(Type.String({ maxLength: 64, description: "the nextCursor of an earlier page" })),
});

/** Orders of a user in the order in which they were placed; without `nextCursor` it is the last page. */
export const OrderPage = Type.Object(
  { items: Type.Array(Order), nextCursor: Type.Optional(Type.String()) },
  { $id: "OrderPage" },
);
export type OrderPage = Static<typeof OrderPage>;

/** What changes an order that there is: it happens once, and to the version that the caller has in mind. */
const move = {
  params: ById,
  ifMatch: true,
  idempotent: true,
  status: 200,
  reply: Order,
  version: "version",
  errors: ["not_found", "conflict", "stale"],
} as const;

/** The contract of the orders service: what it takes, what it gives, and the errors to be ready for. */
export const ordersApi = api("orders", {
  listOrders: get("/api/v1/orders", { query: Page, reply: OrderPage }),
  getOrder: get("/api/v1/orders/{id}", { params: ById, reply: Order, version: "version", errors: ["not_found"] }),
  placeOrder: post("/api/v1/orders", {
    body: NewOrder,
    status: 201,
    reply: Order,
    version: "version",
    location: "/api/v1/orders/{id}",
    idempotent: true,
    errors: ["unavailable"],
  }),
  payOrder: post("/api/v1/orders/{id}/pay", move),
  cancelOrder: post("/api/v1/orders/{id}/cancel", move),
});
