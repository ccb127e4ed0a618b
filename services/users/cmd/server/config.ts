import { cacheConfig } from "parapet/cache";
import { defineConfig, oneOf, text, url } from "parapet/config";
import { drainFits, httpConfig } from "parapet/http";
import { lifecycleConfig } from "parapet/lifecycle";
import { LOG_LEVELS } from "parapet/log";
import { postgresConfig } from "parapet/postgres";

/** What the environment tells the server. */
export const usersConfig = defineConfig(
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
      example: "postgres://users:password@localhost:5432/users",
      description: "The PostgreSQL that keeps the users.",
    }),
    redisUrl: url("REDIS_URL", {
      protocols: ["redis:", "rediss:"],
      secret: true,
      optional: true,
      example: "redis://:password@localhost:6379",
      description: "The Redis of the cache, 7 or newer; without one each process has a cache of its own.",
    }),
    amqpUrl: url("AMQP_URL", {
      protocols: ["amqp:", "amqps:"],
      secret: true,
      example: "amqp://users:password@localhost:5672",
      description: "The RabbitMQ, 3.10 or newer, that the users' events are published to.",
    }),
    database: postgresConfig,
    cache: cacheConfig,
    http: httpConfig,
    lifecycle: lifecycleConfig,
  },
  ({ http, lifecycle }) => drainFits(http, lifecycle.shutdownGraceMs),
);
