import assert from "node:assert/strict";
import { test } from "node:test";
import { rawRequest } from "../testing/index.ts";
import { callerBudgetMs } from "./deadline-headers.ts";
import { get, route, serve } from "./server.suite.ts";

function budget(headers: Record<string, string>): { ms: number; invalid: number } {
  let invalid = 0;
  const ms = callerBudgetMs(headers, () => invalid++);
  return { ms, invalid };
}

test("the shortest of the callers' deadlines counts, each in its own unit", () => {
  const infinite = Number.POSITIVE_INFINITY;
  for (const [headers, ms] of [
    [{}, infinite],
    [{ "x-envoy-expected-rq-timeout-ms": "250" }, 250],
    [{ "connect-timeout-ms": "1500" }, 1500],
    [{ "grpc-timeout": "2S" }, 2000],
    [{ "grpc-timeout": "300m" }, 300],
    [{ "grpc-timeout": "1H" }, 3_600_000],
    [{ "grpc-timeout": "5000u" }, 5],
    [{ "grpc-timeout": "1S", "connect-timeout-ms": "700", "x-envoy-expected-rq-timeout-ms": "900" }, 700],
  ] as const) {
    assert.deepEqual(budget(headers), { ms, invalid: 0 }, JSON.stringify(headers));
  }
});

test("a deadline that can't be read counts for nothing, and is counted", () => {
  for (const [name, value] of [
    ["grpc-timeout", "5"],
    ["grpc-timeout", "123456789m"],
    ["grpc-timeout", "-1S"],
    ["connect-timeout-ms", "soon"],
    ["connect-timeout-ms", "1e3"],
    ["x-envoy-expected-rq-timeout-ms", "99999999999"],
    ["x-envoy-expected-rq-timeout-ms", "250, 250"],
  ] as const) {
    assert.deepEqual(budget({ [name]: value }), { ms: Number.POSITIVE_INFINITY, invalid: 1 }, `${name}: ${value}`);
  }
});

test("H5: a request whose deadline is over, or as good as, is answered 504 and not run", async (t) => {
  const ran: string[] = [];
  const { port, metric, lines } = await serve(t, [
    route("GET", "/left", async (ctx) => {
      ran.push("left");
      return { status: 200, body: String(ctx.remainingMs()) };
    }),
  ]);
  for (const late of ["connect-timeout-ms: 0", "grpc-timeout: 4m", "x-envoy-expected-rq-timeout-ms: 1"]) {
    const { responses } = await rawRequest(port, get("/left", late, "Connection: close"));
    assert.deepEqual([responses[0]?.status, ran], [504, []], late);
  }
  assert.deepEqual(
    lines.filter(({ level }) => level === "error"),
    [],
    "that is the caller's doing",
  );
  const budgetOf = async (field: string) => {
    const { responses } = await rawRequest(port, get("/left", field, "Connection: close"));
    return Number(responses[0]?.body);
  };
  assert.ok((await budgetOf("grpc-timeout: 500m")) <= 500);
  // A header only shortens.
  const own = await budgetOf("grpc-timeout: 1H");
  assert.ok(own > 9000 && own <= 10_000, String(own));
  assert.ok((await budgetOf("grpc-timeout: nonsense")) > 9000);
  assert.equal(await metric("http_deadline_headers_invalid_total"), 1);
});
