import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import test, { type TestContext } from "node:test";
import { withTimeout } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import { testContext } from "../testing/test-context.ts";
import { undiciTransport } from "./undici-transport.ts";

const REQUEST = { method: "GET", path: "/thing?a=b", headers: { "x-one": "1" } };

async function bench(t: TestContext, answer: RequestListener, path = "") {
  const urls: string[] = [];
  const server = createServer((request, response) => {
    urls.push(request.url ?? "");
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const baseUrl = new URL(`http://127.0.0.1:${port}${path}`);
  const transport = await undiciTransport({ baseUrl, connections: 2, maxReplyBytes: 1000 });
  t.after(async () => {
    await transport.close();
    server.closeAllConnections();
    server.close();
  });
  return { transport, urls };
}

test("an answer comes as it is, whatever its status, with the headers that it has", async (t) => {
  const { transport, urls } = await bench(
    t,
    (request, response) => {
      response.writeHead(418, { "x-two": ["a", "b"], "x-one": String(request.headers["x-one"]) });
      response.end("tea");
    },
    "/base/",
  );
  const result = await transport.send(testContext(), REQUEST);
  assert.ok(result.kind === "answer");
  const { status, headers, body } = result;
  assert.deepEqual(
    [status, headers["x-one"], headers["x-two"], Buffer.from(body).toString()],
    [418, "1", "a, b", "tea"],
  );
  assert.deepEqual(urls, ["/base/thing?a=b"]);
});

test("nothing is sent for a caller that is gone", async (t) => {
  const { transport, urls } = await bench(t, (_, response) => response.end());
  const ctx = testContext();
  ctx.cancel(new AppError("canceled", "the caller is gone"));
  const result = await transport.send(ctx, REQUEST);
  assert.ok(result.kind === "failure" && !result.mayHaveArrived && result.cause === ctx.done);
  assert.deepEqual(urls, []);
});

test("a request that ends with its context, or whose answer is too big or cut off, may have arrived", async (t) => {
  for (const answer of [
    () => {},
    (_, response) => response.end("x".repeat(1001)),
    (_, response) => {
      response.writeHead(200, { "content-length": "10" });
      response.write("x");
      setImmediate(() => response.destroy());
    },
  ] as RequestListener[]) {
    const { transport } = await bench(t, answer);
    const result = await withTimeout(testContext(), 100, (ctx) => transport.send(ctx, REQUEST));
    assert.ok(result.kind === "failure" && result.mayHaveArrived);
  }
});

test("a request for which no connection came about has not arrived", async (t) => {
  for (const baseUrl of ["http://127.0.0.1:1", "http://localhost:1"]) {
    const transport = await undiciTransport({ baseUrl: new URL(baseUrl), connections: 1, maxReplyBytes: 1000 });
    t.after(() => transport.close());
    const result = await withTimeout(testContext(), 3000, (ctx) => transport.send(ctx, REQUEST));
    assert.ok(result.kind === "failure" && !result.mayHaveArrived, `${baseUrl}: ${JSON.stringify(result)}`);
  }
});
