import { loadConfig } from "parapet/config";
import { toOpenApi } from "parapet/contract";
import { createServer, openApiRoute } from "parapet/http";
import { run } from "parapet/lifecycle";
import { createLogger } from "parapet/log";
import { createDatabase } from "parapet/postgres";
import { v7 as uuidv7 } from "uuid";
import { userRoutes } from "../../internal/handler/user-routes.ts";
import { PostgresUserRepository } from "../../internal/repository/postgres/postgres-user-repository.ts";
import { UserService } from "../../internal/service/user-service.ts";
import { migrations } from "../../migrations/index.ts";
import { usersApi } from "../../pkg/client/index.ts";
import { usersConfig } from "./config.ts";

const config = loadConfig(usersConfig, process.env);
const log = createLogger({ service: "users", version: config.version, level: config.logLevel });

// What we depend on.
const database = createDatabase(config.databaseUrl, { ...config.database, log, migrations, service: "users" });

// What we do.
const users = new UserService({
  users: new PostgresUserRepository(database),
  newId: () => uuidv7(),
  now: () => new Date(),
});

// How the world reaches us.
const description = toOpenApi([usersApi], { title: "users", version: config.version });
const routes = [...userRoutes(users), ...openApiRoute(description)];
const server = createServer({ ...config.http, log, routes, ready: [database] });

// Started left to right, stopped right to left: the door closes first, the database last.
await run([database, server], { log, config, ...config.lifecycle });
