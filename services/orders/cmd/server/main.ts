import { usersApi } from "@services/users";
import { createClient } from "parapet/client";
import { loadConfig } from "parapet/config";
import { toOpenApi } from "parapet/contract";
import { createServer, openApiRoute } from "parapet/http";
import { createIdempotencyExpiry, createInboxExpiry, createStartMarks } from "parapet/idempotency";
import { run } from "parapet/lifecycle";
import { createLogger } from "parapet/log";
import { createBroker, createConsumer } from "parapet/messaging";
import { createOutboxRelay } from "parapet/outbox";
import { createDatabase } from "parapet/postgres";
import { v7 as uuidv7 } from "uuid";
import { UsersGateway } from "../../internal/gateway/users-gateway.ts";
import { orderRoutes } from "../../internal/handler/order-routes.ts";
import { userEvents } from "../../internal/handler/user-events.ts";
import { PostgresOrderStore } from "../../internal/repository/postgres/postgres-order-store.ts";
import { OrderService } from "../../internal/service/order-service.ts";
import { migrations } from "../../migrations/index.ts";
import { ordersApi } from "../../pkg/client/index.ts";
import { ordersConfig } from "./config.ts";

const config = loadConfig(ordersConfig, process.env);
const log = createLogger({ service: "orders", version: config.version, level: config.logLevel });

// What we depend on.
const database = createDatabase(config.databaseUrl, { ...config.database, log, migrations, service: "orders" });
const broker = createBroker(config.amqpUrl, { log });
const users = createClient(usersApi, { baseUrl: config.usersUrl, log, timeoutMs: 1000 });

// What we do.
const store = new PostgresOrderStore(database);
const directory = new UsersGateway(users);
const orders = new OrderService({ store, users: directory, newId: () => uuidv7(), now: () => new Date() });

// What goes on behind.
const relay = createOutboxRelay({ from: database, to: broker, log });
const expiries = [createIdempotencyExpiry({ in: database, log }), createInboxExpiry({ in: database, log })];

// How the world reaches us.
const starts = createStartMarks(database);
const consumer = createConsumer({ from: broker, group: "orders", handlers: userEvents(orders), starts, log });
const description = toOpenApi([ordersApi], { title: "orders", version: config.version });
const routes = [...orderRoutes(orders), ...openApiRoute(description)];
const server = createServer({ ...config.http, log, routes, ready: [database] });

// Started left to right, stopped right to left: the doors close first, the database last.
await run([database, broker, users, relay, ...expiries, consumer, server], { log, config, ...config.lifecycle });
