import { parseConfig } from "parapet/config";
import { createServer, type HttpServer, httpConfig } from "parapet/http";
import { createRegistry } from "parapet/metrics";
import { testContext } from "parapet/testing";
import { v7 as uuidv7 } from "uuid";
import { userRoutes } from "../internal/handler/user-routes.ts";
import type { UserStore } from "../internal/model/user-store.ts";
import { UserService } from "../internal/service/user-service.ts";

/** The service as `main.ts` ties it together, on a store of the test's and a port that is free. */
export function usersServer(store: UserStore): HttpServer {
  const service = new UserService({ store, newId: () => uuidv7(), now: () => new Date() });
  return createServer({
    ...parseConfig(httpConfig, { PORT: "0", DRAIN_DELAY_MS: "0" }),
    log: testContext().log,
    metrics: createRegistry(),
    routes: userRoutes(service),
  });
}
