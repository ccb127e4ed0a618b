import type { IncomingHttpHeaders } from "node:http";
import type { HttpReply } from "./route.ts";

/** Cross-origin answers, closed but for the origins of an allow-list (WHATWG Fetch, 3.2). */
export interface Cors {
  /** The headers that let an allowed origin's script read an answer that varies by `vary`; none for all others. */
  toHeaders(request: IncomingHttpHeaders, vary?: string): Readonly<Record<string, string>>;
  /** The answer to OPTIONS, and to a preflight when its origin is allowed. */
  toPreflightReply(request: IncomingHttpHeaders, allow: string): HttpReply;
}

const REQUEST_HEADERS = "authorization, content-type, idempotency-key, if-match, if-none-match, x-request-id";
const REPLY_HEADERS = "etag, location, retry-after, x-request-id";
const PREFLIGHT_SECONDS = "600";

const NONE: Readonly<Record<string, string>> = {};

/** Makes the policy for an allow-list of origins (`https://app.example.com`); an empty one allows none. */
export function createCors(origins: readonly string[]): Cors {
  const allowed = new Set(origins);
  return {
    toHeaders: ({ origin }, vary) => {
      if (allowed.size === 0) return NONE;
      // Whether an answer has the headers depends on Origin, so caches must keep the two apart.
      const varies = { vary: vary === undefined ? "origin" : `${vary}, origin` };
      if (origin === undefined || !allowed.has(origin)) return varies;
      return { ...varies, "access-control-allow-origin": origin, "access-control-expose-headers": REPLY_HEADERS };
    },
    toPreflightReply: (request, allow) => {
      const isPreflight = request["access-control-request-method"] !== undefined && allowed.has(request.origin ?? "");
      return { status: 204, headers: { allow, ...(isPreflight ? toPreflightHeaders(allow) : {}) } };
    },
  };
}

function toPreflightHeaders(allow: string): Record<string, string> {
  return {
    "access-control-allow-methods": allow,
    "access-control-allow-headers": REQUEST_HEADERS,
    "access-control-max-age": PREFLIGHT_SECONDS,
  };
}
