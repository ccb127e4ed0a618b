import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Context } from "../context/index.ts";
import type { Method } from "../contract/index.ts";

/** A request as middleware sees it: its head is checked, its body not read yet. */
export interface HttpRequest {
  /** The request's id: the caller's `x-request-id` when it is well formed, else a new UUID. */
  readonly id: string;
  readonly method: string;
  /** The route's template, `/api/v1/users/{id}`: the name to count by. */
  readonly endpoint: string;
  /** The path as sent, without the query. */
  readonly path: string;
  /** The query as sent, without the `?`; empty when there is none. */
  readonly query: string;
  /** Path parameters, percent-decoded once. */
  readonly params: Readonly<Record<string, string | undefined>>;
  readonly headers: IncomingHttpHeaders;
  /** Who asks, as a middleware found out and noted here; what only one caller may see again is kept under it. */
  principal: string | undefined;
  /** The whole body, at most `maxBytes` or what the server allows. Throws `invalid` (413), `canceled`, `timeout`. Read once. */
  readBody(maxBytes?: number): Promise<Buffer>;
  /** Tells whether a body follows the head. */
  readonly hasBody: boolean;
}

/** A whole answer. Header names are lower case; the server adds the ones that every answer carries. */
export interface HttpReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Answers a request. Throws `AppError` for everything that is not a success. */
export type HttpHandler = (ctx: Context, request: HttpRequest) => Promise<HttpReply>;

/** The one middleware shape: wraps a handler. The first of a list is the outermost. */
export type Middleware = (next: HttpHandler) => HttpHandler;

/** A route that answers through a handler. */
export interface HandledRoute {
  readonly kind: "handled";
  readonly method: Method;
  readonly path: string;
  readonly handler: HttpHandler;
  /** How long it may take, in milliseconds; the server's budget unless said. */
  readonly timeoutMs?: number;
  /** Its access lines are for debugging: probes and scrapes. */
  readonly quiet?: true;
}

/** A route that hands Node's own objects to a listener of another framework. */
export interface RawRoute {
  readonly kind: "raw";
  readonly path: string;
  /** May give a promise; when that is rejected, or it throws, the request fails. */
  readonly listener: (request: IncomingMessage, response: ServerResponse) => unknown;
}

export type Route = HandledRoute | RawRoute;

export interface GroupOptions {
  /** Put before the path of each route: `/internal`. */
  readonly prefix?: string;
  /** Wrapped around each handler; raw routes bring their own. */
  readonly use?: readonly Middleware[];
}

/** Routes that share a prefix and middleware. Groups nest; the outer group's middleware runs first. */
export function routeGroup(options: GroupOptions, routes: readonly Route[]): readonly Route[] {
  const { prefix = "", use = [] } = options;
  return routes.map((route) => {
    const path = prefix + route.path;
    if (route.kind === "raw") return { ...route, path };
    return { ...route, path, handler: use.reduceRight((next, middleware) => middleware(next), route.handler) };
  });
}

/**
 * Mounts a `(request, response)` listener (Express, Fastify's `routing`, Hono's Node adapter) for all methods at a path,
 * or below it with a final `/*`. It keeps the request's id, the access line, metrics, drain and the write timeout; its
 * bodies, errors and headers are its own.
 */
export function rawRoute(path: string, listener: RawRoute["listener"]): readonly Route[] {
  return [{ kind: "raw", path, listener }];
}
