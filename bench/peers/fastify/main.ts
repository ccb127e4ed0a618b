/** The users service as the documentation of Fastify, pg, ioredis, pino and prom-client has it. */
import { Redis } from "ioredis";
import pg from "pg";
import { createApp } from "./app.ts";
import { CachedUsers } from "./cached-users.ts";
import { loadConfig } from "./config.ts";
import { PostgresUsers } from "./postgres-users.ts";

const config = loadConfig(process.env);
const pool = new pg.Pool({ connectionString: config.databaseUrl, max: 20 });
const redis = config.redisUrl === undefined ? undefined : new Redis(config.redisUrl);
const stored = new PostgresUsers(pool);
const app = createApp(redis === undefined ? stored : new CachedUsers(stored, redis, config.cachePrefix), config);

pool.on("error", (error) => app.log.error(error, "postgresql connection failed"));
redis?.on("error", (error) => app.log.error(error, "redis connection failed"));

app.addHook("onClose", async () => {
  await redis?.quit();
  await pool.end();
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void app.close());

await app.listen({ port: config.port, host: "127.0.0.1" });
