import type { OpenApiDocument } from "../contract/index.ts";
import type { Route } from "./route.ts";

/** Serves a document of contracts at `/openapi.json`, to whoever may reach the service. */
export function openApiRoute(document: OpenApiDocument): readonly Route[] {
  const headers = { "content-type": "application/json; charset=utf-8", "cache-control": "no-cache" };
  const reply = { status: 200, headers, body: JSON.stringify(document) };
  return [{ kind: "handled", method: "GET", path: "/openapi.json", handler: async () => reply }];
}
