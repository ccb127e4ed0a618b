/** What the environment tells the server. Without a `redisUrl` there is no cache. */
export interface Config {
  readonly port: number;
  readonly databaseUrl: string;
  readonly redisUrl: string | undefined;
  readonly cachePrefix: string;
  readonly logLevel: string;
}

/** Reads the environment. */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  return {
    port: Number(env.PORT || 8080),
    databaseUrl: env.DATABASE_URL || "",
    redisUrl: env.REDIS_URL || undefined,
    cachePrefix: env.CACHE_PREFIX || "users:",
    logLevel: env.LOG_LEVEL || "info",
  };
}
