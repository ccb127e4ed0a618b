export { drainFits, type HttpConfig, httpConfig } from "./http-config.ts";
export { type HandlersOf, implement } from "./implement.ts";
export { openApiRoute } from "./openapi-route.ts";
export {
  type GroupOptions,
  type HandledRoute,
  type HttpHandler,
  type HttpReply,
  type HttpRequest,
  type Middleware,
  type RawRoute,
  type Route,
  rawRoute,
  routeGroup,
} from "./route.ts";
export { createServer, type HttpServer, type ServerOptions } from "./server.ts";
