import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { eventually, rawRequest } from "../testing/index.ts";
import { get, ping, serve } from "./server.suite.ts";

/** The server's series, those of one histogram's buckets as one. */
function seriesOf(exposition: string): string[] {
  const lines = exposition.split("\n").filter((line) => line.startsWith("http_"));
  return [...new Set(lines.map((line) => line.replace(/\{le="[^"]*",?/, "{").replace(/ \S+$/, "")))];
}

test("requests are counted by method, route template and status; those of no route are counted together", async (t) => {
  const { request, metric } = await serve(t, [ping("/ping/{id}")]);
  for (const path of ["/ping/1", "/ping/2", "/nowhere", "/elsewhere"]) await request({ path });
  await request({ method: "POST", path: "/ping/1" });
  await request({ method: "HEAD", path: "/ping/1" });
  const count = (labels: string) => metric(`http_requests_total{${labels}}`);
  await eventually(async () => (await count('method="HEAD",endpoint="/ping/{id}",status="200"')) === 1);
  assert.equal(await count('method="GET",endpoint="/ping/{id}",status="200"'), 2);
  assert.equal(await count('method="__other__",endpoint="__other__",status="404"'), 2);
  assert.equal(await count('method="__other__",endpoint="__other__",status="405"'), 1);
  assert.equal(await metric('http_request_duration_seconds_count{method="GET",endpoint="/ping/{id}"}'), 2);
});

test("G13: ten thousand random paths, queries, ids, agents and methods make no series of their own", async (t) => {
  const { port, metrics } = await serve(t, [ping("/ping/{id}")]);
  const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "PURGE", "MKCOL", "TRACE", "OPTIONS", "HEAD"];
  const random = () => randomBytes(6).toString("hex");
  const send = async (count: number) => {
    const requests = Array.from({ length: count }, (_, n) => {
      const path = `/${n % 3 === 0 ? "ping/" : ""}${random()}?${random()}=${random()}`;
      const bytes = get(path, `User-Agent: ${random()}`, `X-Request-Id: ${random()}`);
      return bytes.replace("GET", methods[n % methods.length] ?? "GET");
    });
    // A method that nobody knows ends the connection.
    await rawRequest(port, `${requests.join("")}${random().toUpperCase()} / HTTP/1.1\r\n\r\n`, { timeoutMs: 10_000 });
  };
  const none = seriesOf(await metrics.text());
  await send(30);
  const some = seriesOf(await metrics.text());
  for (let batch = 0; batch < 100; batch++) await send(100);
  const started = performance.now();
  const all = seriesOf(await metrics.text());
  assert.ok(performance.now() - started < 100);
  assert.equal(all.length - some.length, 0);
  assert.ok(all.length - none.length <= 50, `${all.length - none.length} series`);
});
