import { type FastifyInstance, fastify, LogController } from "fastify";
import type { Config } from "./config.ts";
import { observe } from "./metrics.ts";
import { createSchema, deleteSchema, getSchema, listSchema } from "./schemas.ts";
import { type NewUser, newUser, type Users } from "./user.ts";

const BEFORE_ALL_IDS = "00000000-0000-0000-0000-000000000000";
const TIMEOUT_MS = 15_000;
const IDLE_TIMEOUT_MS = 60_000;

interface ById {
  readonly Params: { readonly id: string };
}

/** The server with its routes, not listening yet. */
export function createApp(users: Users, { logLevel }: Config): FastifyInstance {
  const app = fastify({
    logger: { level: logLevel },
    // One access line a request, written when it is over.
    logController: new LogController({ disableRequestLogging: true }),
    requestTimeout: TIMEOUT_MS,
    connectionTimeout: TIMEOUT_MS,
    keepAliveTimeout: IDLE_TIMEOUT_MS,
  });
  observe(app);
  app.get("/health", async () => ({ status: "ok" }));
  addUserRoutes(app, users);
  return app;
}

function addUserRoutes(app: FastifyInstance, users: Users): void {
  app.get<{ Querystring: { readonly limit: number; readonly cursor?: string } }>(
    "/api/v1/users",
    { schema: listSchema },
    async ({ query: { limit, cursor = BEFORE_ALL_IDS } }) => {
      // One more than asked for tells whether there is a next page.
      const found = await users.list(cursor, limit + 1);
      const items = found.slice(0, limit);
      return found.length > limit ? { items, nextCursor: items.at(-1)?.id } : { items };
    },
  );

  app.get<ById>("/api/v1/users/:id", { schema: getSchema }, async ({ params }, reply) => {
    const user = await users.find(params.id);
    return user ?? reply.code(404).send({ error: "user not found" });
  });

  app.post<{ Body: NewUser }>("/api/v1/users", { schema: createSchema }, async ({ body, log }, reply) => {
    const user = newUser(body);
    await users.create(user);
    log.info({ user_id: user.id, action: "create_user" }, "user created");
    return reply.code(201).header("location", `/api/v1/users/${user.id}`).send(user);
  });

  app.delete<ById>("/api/v1/users/:id", { schema: deleteSchema }, async ({ params, log }, reply) => {
    if (!(await users.delete(params.id))) return reply.code(404).send({ error: "user not found" });
    log.info({ user_id: params.id, action: "delete_user" }, "user deleted");
    return reply.code(204).send();
  });
}
