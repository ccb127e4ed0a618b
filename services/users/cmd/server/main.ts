import { createCache } from "parapet/cache";
import { loadConfig } from "parapet/config";
import { toOpenApi } from "parapet/contract";
import { createServer, openApiRoute } from "parapet/http";
import { createIdempotencyExpiry } from "parapet/idempotency";
import { run } from "parapet/lifecycle";
import { createLogger } from "parapet/log";
import { createBroker } from "parapet/messaging";
import { createInvalidator, createOutboxRelay } from "parapet/outbox";
import { createDatabase } from "parapet/postgres";
import { v7 as uuidv7 } from "uuid";
import { userRoutes } from "../../internal/handler/user-routes.ts";
import { CachedUserStore } from "../../internal/repository/cached/cached-user-store.ts";
import { PostgresUserStore } from "../../internal/repository/postgres/postgres-user-store.ts";
import { UserService } from "../../internal/service/user-service.ts";
import { migrations } from "../../migrations/index.ts";
import { usersApi } from "../../pkg/client/index.ts";
import { usersConfig } from "./config.ts";

const config = loadConfig(usersConfig, process.env);
const log = createLogger({ service: "users", version: config.version, level: config.logLevel });

// What we depend on.
const database = createDatabase(config.databaseUrl, { ...config.database, log, migrations, service: "users" });
const cache = createCache(config.redisUrl, { ...config.cache, log });
const broker = createBroker(config.amqpUrl, { log });

// What we do.
const store = new CachedUserStore(new PostgresUserStore(database), cache);
const users = new UserService({ store, newId: () => uuidv7(), now: () => new Date() });

// What goes on behind.
const relay = createOutboxRelay({ from: database, to: broker, log });
const invalidator = createInvalidator({ from: database, to: cache, log });
const expiry = createIdempotencyExpiry({ in: database, log });

// How the world reaches us.
const description = toOpenApi([usersApi], { title: "users", version: config.version });
const routes = [...userRoutes(users), ...openApiRoute(description)];
const server = createServer({ ...config.http, log, routes, ready: [database] });

// Started left to right, stopped right to left: the door closes first, the database last.
await run([database, cache, broker, relay, invalidator, expiry, server], { log, config, ...config.lifecycle });
