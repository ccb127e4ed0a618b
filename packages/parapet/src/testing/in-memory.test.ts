import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import { buffer, text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { inMemory } from "./in-memory.ts";

const echo: RequestListener = async (request, response) => {
  const body = await text(request);
  const { method, url, headers } = request;
  response.setHeader("x-seen", "yes").end(JSON.stringify({ method, url, type: headers["content-type"], body }));
};

test("a request reaches the server and its answer comes back", async () => {
  const { request } = inMemory(createServer(echo));
  const reply = await request({ path: "/a?b=1" });
  assert.deepEqual([reply.status, reply.headers["x-seen"]], [200, "yes"]);
  assert.deepEqual(reply.json(), { method: "GET", url: "/a?b=1", body: "" });
});

test("bodies are sent as they are, or as JSON", async () => {
  const { request } = inMemory(createServer(echo));
  const text = await request({ method: "POST", path: "/", headers: { "content-type": "text/plain" }, body: "héllo" });
  assert.deepEqual(text.json(), { method: "POST", url: "/", type: "text/plain", body: "héllo" });
  const json = await request({ method: "PUT", path: "/", json: { a: [1] } });
  assert.deepEqual(json.json(), { method: "PUT", url: "/", type: "application/json", body: '{"a":[1]}' });
});

test("many requests at once and large bodies are no matter", async () => {
  const server = createServer(async (request, response) => response.end(await buffer(request)));
  const { request } = inMemory(server);
  const sizes = Array.from({ length: 20 }, (_, i) => i * 50_000);
  const replies = await Promise.all(
    sizes.map((size) => request({ method: "POST", path: "/", body: "x".repeat(size) })),
  );
  assert.deepEqual(
    replies.map(({ body }) => body.length),
    sizes,
  );
});

test("HEAD, 204 and an early refusal are read to their ends", async () => {
  const server = createServer((request, response) => {
    const status = { "/empty": 204, "/big": 413 }[request.url ?? ""] ?? 200;
    response.writeHead(status, status === 200 ? { "content-length": 5 } : {}).end();
  });
  const { request } = inMemory(server);
  assert.equal((await request({ method: "HEAD", path: "/" })).headers["content-length"], "5");
  assert.equal((await request({ path: "/empty" })).status, 204);
  assert.equal((await request({ method: "POST", path: "/big", body: "x".repeat(1 << 20) })).status, 413);
});

test("a server that drops the connection makes the request fail", async () => {
  const server = createServer((_request, response) => void response.destroy());
  await assert.rejects(inMemory(server).request({ path: "/" }), { code: "ECONNRESET" });
  const half = createServer((_request, response) => {
    response.writeHead(200, { "content-length": 10 }).write("half", () => response.destroy());
  });
  await assert.rejects(inMemory(half).request({ path: "/" }));
});

test("the server's own parser answers what is malformed", async () => {
  const { request } = inMemory(createServer(echo));
  const reply = await request({ path: "/", headers: { "transfer-encoding": "chunked, identity" }, method: "POST" });
  assert.equal(reply.status, 400);
});

test("a server that listens as well serves both", async (t: TestContext) => {
  const server = createServer(echo);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => void server.close());
  assert.equal((await inMemory(server).request({ path: "/" })).status, 200);
  assert.equal(await new Promise((resolve) => server.getConnections((_error, count) => resolve(count))), 0);
});
