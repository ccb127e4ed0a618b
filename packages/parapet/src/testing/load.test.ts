import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "./eventually.ts";
import { type Load, startLoad } from "./load.ts";
import { listenOnLoopback } from "./loopback.ts";

async function serve(t: TestContext, onRequest: RequestListener): Promise<{ server: Server; url: string }> {
  const server = createServer(onRequest);
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { server, url: `http://127.0.0.1:${await listenOnLoopback(server)}` };
}

const attempts = (load: Load, count: number): Promise<void> => eventually(() => load.report().attempted >= count);

const clients = { keepAliveClients: 3, freshClients: 2, maxThinkMs: 1 };

test("some clients keep their connection, the others open one for each request", async (t) => {
  const { server, url } = await serve(t, (_request, response) => void response.end("ok"));
  let connections = 0;
  server.on("connection", () => connections++);
  const load = startLoad(t, { ...clients, url, freshClients: 0, request: () => ({ path: "/" }) });
  await attempts(load, 50);
  const { attempted, ok, failed, failures, latencyMs } = await load.stop();
  assert.deepEqual([ok, failed, failures, connections], [attempted, 0, {}, 3]);
  assert.ok(latencyMs(50) > 0 && latencyMs(50) <= latencyMs(99) && latencyMs(99) <= latencyMs(100));
  const fresh = startLoad(t, { ...clients, url, keepAliveClients: 0, request: () => ({ path: "/" }) });
  await attempts(fresh, 20);
  const { attempted: opened } = await fresh.stop();
  assert.equal(connections, 3 + opened);
});

test("each request has a number of its own, and each reply is shown with its request", async (t) => {
  const { url } = await serve(t, async (request, response) => response.end(`${request.method} ${await text(request)}`));
  const seen = new Set<string>();
  const load = startLoad(t, {
    ...clients,
    url,
    request: (number) => ({ method: "POST", path: "/", body: String(number) }),
    onReply: ({ body }, request) => {
      assert.equal(body, `POST ${request.body}`);
      seen.add(body);
    },
  });
  await attempts(load, 30);
  const { attempted, failures } = await load.stop();
  assert.deepEqual([seen.size, failures], [attempted, {}]);
});

test("failures are counted by their reason", async (t) => {
  const { url } = await serve(t, (request, response) => {
    if (request.url === "/reset") request.socket.destroy();
    else response.writeHead(request.url === "/ok" ? 200 : 503).end();
  });
  const paths = ["/ok", "/reset", "/busy", "/odd"];
  const load = startLoad(t, {
    ...clients,
    url,
    request: (number) => ({ path: paths[number % 4] ?? "/ok" }),
    onReply: (_reply, { path }) => {
      if (path === "/odd") throw new Error("odd");
    },
  });
  await attempts(load, 40);
  const { attempted, ok, failed, failures } = await load.stop();
  assert.deepEqual(Object.keys(failures).sort(), ["ECONNRESET", "odd", "status 503"]);
  assert.equal(ok + failed, attempted);
  assert.ok(ok >= 8 && ok <= attempted / 3);
});

test("stopping waits for the requests under way and begins no more", async (t) => {
  const held: (() => void)[] = [];
  const { url } = await serve(t, (_request, response) => void held.push(() => response.end()));
  const load = startLoad(t, { ...clients, url, request: () => ({ path: "/" }) });
  await eventually(() => held.length === 5);
  let isStopped = false;
  const stopped = load.stop().then((report) => {
    isStopped = true;
    return report;
  });
  await delay(20);
  assert.equal(isStopped, false);
  for (const answer of held) answer();
  const { attempted, ok } = await stopped;
  assert.deepEqual([attempted, ok], [5, 5]);
});
