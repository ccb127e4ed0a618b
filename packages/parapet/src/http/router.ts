import findMyWay from "find-my-way";
import { isPathTemplate, PROBLEM_TYPES } from "../contract/index.ts";
import { AppError } from "../errors/index.ts";
import { Refusal } from "./refusal.ts";
import type { HandledRoute, RawRoute, Route } from "./route.ts";
import type { Target } from "./target.ts";

/** All routes of one path template. */
export interface Endpoint {
  /** The template, the `endpoint` label. */
  readonly template: string;
  readonly methods: ReadonlyMap<string, HandledRoute>;
  /** What `Allow` says. */
  readonly allow: string;
  readonly raw: RawRoute | undefined;
}

export interface Match {
  readonly endpoint: Endpoint;
  readonly params: Readonly<Record<string, string | undefined>>;
}

/** Finds the route of a request. */
export interface Router {
  /** Throws `not_found` when no route has this path. */
  find(target: Target): Match;
}

// find-my-way answers "no such route" to a longer parameter; the target's own limit makes it a matter of the contract.
const MAX_PARAM_LENGTH = 8192;

/** Builds the router, once, at boot. Throws `internal` when two routes clash, or a path is no template. */
export function createRouter(routes: readonly Route[]): Router {
  const tree = findMyWay({ maxParamLength: MAX_PARAM_LENGTH });
  const endpoints = toEndpoints(routes);
  for (const endpoint of endpoints.values()) {
    for (const path of toPaths(endpoint, endpoints)) tree.on("GET", toPattern(path), ignore, endpoint);
  }
  return {
    find({ path }) {
      const found = tree.find("GET", path);
      const endpoint = found?.store as Endpoint | undefined;
      // A parameter that is empty would else match.
      const isCut = endpoint?.raw === undefined && path.length > 1 && path.endsWith("/");
      if (endpoint === undefined || isCut) {
        const type = PROBLEM_TYPES.noSuchOperation;
        throw new Refusal(404, "there is nothing at this path", { code: "not_found", type });
      }
      return { endpoint, params: found?.params ?? {} };
    },
  };
}

/** The route of a method. Throws a 405 `Refusal` with `Allow`. */
export function routeOf({ methods, allow }: Endpoint, method: string): HandledRoute {
  const route = methods.get(method);
  if (route === undefined) {
    const type = PROBLEM_TYPES.noSuchOperation;
    throw new Refusal(405, "this path has no such method", { headers: { allow }, type });
  }
  return route;
}

// The tree only finds; what it finds is run by the exchange.
function ignore(): void {}

type Endpoints = ReadonlyMap<string, Endpoint>;

/** The endpoints by the shape of their paths: two that differ only in the names of their parameters are one. */
function toEndpoints(routes: readonly Route[]): Endpoints {
  const byShape = new Map<string, [Route, ...Route[]]>();
  for (const route of routes) {
    const shape = toShape(route);
    const known = byShape.get(shape);
    if (known === undefined) byShape.set(shape, [route]);
    else if (known[0].path === route.path) known.push(route);
    else throw clash(route, "two routes differ only in the names of their parameters");
  }
  return new Map(Array.from(byShape, ([shape, same]) => [shape, toEndpoint(same)]));
}

function toShape(route: Route): string {
  const plain = route.kind === "raw" ? withoutWildcard(route.path) : route.path;
  if (!isPathTemplate(plain)) throw clash(route, "a route's path must be like /plain/{whole_segment}");
  return route.path.replaceAll(/\{\w+\}/g, "{}");
}

function toEndpoint(routes: readonly [Route, ...Route[]]): Endpoint {
  const methods = new Map<string, HandledRoute>();
  const [{ path: template }] = routes;
  const raw = routes.find((route) => route.kind === "raw");
  for (const route of routes) {
    if (raw !== undefined && raw !== route) throw clash(route, "a raw route answers all methods of its path");
    if (route.kind === "raw") continue;
    if (methods.has(route.method)) throw clash(route, "two routes have the same method and path");
    methods.set(route.method, route);
  }
  const get = methods.get("GET");
  if (get !== undefined) methods.set("HEAD", get);
  return { template, methods, allow: [...methods.keys(), "OPTIONS"].sort().join(", "), raw };
}

/** Where an endpoint answers; a raw one at `/old/*` also at `/old`, unless that has a route of its own. */
function toPaths({ template, raw }: Endpoint, endpoints: Endpoints): string[] {
  const above = withoutWildcard(template);
  return raw === undefined || above === template || endpoints.has(above) ? [template] : [template, above];
}

/** A template in find-my-way's words. */
function toPattern(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ":$1");
}

function withoutWildcard(path: string): string {
  return path.endsWith("/*") ? path.slice(0, -2) || "/" : path;
}

function clash(route: Route, message: string): AppError {
  const method = route.kind === "raw" ? "all" : route.method;
  return new AppError("internal", message, { fields: { method, path: route.path } });
}
