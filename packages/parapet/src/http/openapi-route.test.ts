import assert from "node:assert/strict";
import { test } from "node:test";
import { api, get, toOpenApi } from "../contract/index.ts";
import { openApiRoute } from "./openapi-route.ts";
import { serve } from "./server.suite.ts";

test("a document of contracts is served as it is", async (t) => {
  const document = toOpenApi([api("things", { ping: get("/ping", {}) })], { title: "things", version: "1" });
  const { request } = await serve(t, openApiRoute(document));
  const { status, headers, json } = await request({ path: "/openapi.json" });
  assert.deepEqual([status, headers["content-type"]], [200, "application/json; charset=utf-8"]);
  assert.deepEqual(json(), document);
});
