import { defineConfig, oneOf, text, url } from "parapet/config";
import { drainFits, httpConfig } from "parapet/http";
import { lifecycleConfig } from "parapet/lifecycle";
import { LOG_LEVELS } from "parapet/log";
import { postgresConfig } from "parapet/postgres";

/** What the environment tells the server. */
export const ordersConfig = defineConfig(
  {
    version: text("SERVICE_VERSION", {
      default: "dev",
      description: "The version on every log line; a bundle brings its own.",
    }),
    logLevel: oneOf("LOG_LEVEL", LOG_LEVELS, {
      default: "info",
      description: "The least severe level that is logged; SIGUSR2 switches debug on and off.",
    }),
    databaseUrl: url("DATABASE_URL", {
      protocols: ["postgres:", "postgresql:"],
      secret: true,
      example: "postgres://orders:password@localhost:5432/orders",
      description: "The PostgreSQL that keeps the orders.",
    }),
    amqpUrl: url("AMQP_URL", {
      protocols: ["amqp:", "amqps:"],
      secret: true,
      example: "amqp://orders:password@localhost:5672",
      description: "The RabbitMQ, 3.10 or newer, of the orders' events and the users'.",
    }),
    usersUrl: url("USERS_URL", {
      protocols: ["http:", "https:"],
      example: "http://localhost:8080",
      description: "Where the users service is.",
    }),
    database: postgresConfig,
    http: httpConfig,
    lifecycle: lifecycleConfig,
  },
  ({ http, lifecycle }) => drainFits(http, lifecycle.shutdownGraceMs),
);
