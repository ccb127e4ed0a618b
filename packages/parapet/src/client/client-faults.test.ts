import assert from "node:assert/strict";
import { createServer as createHttpServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import test, { type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Type } from "typebox";
import { withTimeout } from "../context/index.ts";
import { api, get, post } from "../contract/index.ts";
import { hasCode } from "../errors/index.ts";
import { createRegistry } from "../metrics/index.ts";
import { eventually } from "../testing/eventually.ts";
import { testContext } from "../testing/test-context.ts";
import { createClient } from "./client.ts";

const Thing = Type.Object({ n: Type.Integer() });
const thingsApi = api("things", {
  readThing: get("/thing", { reply: Thing }),
  makeThing: post("/thing", { status: 200, reply: Thing }),
});
const BODY = JSON.stringify({ n: 1 });

async function listening(t: TestContext, server: Server | ReturnType<typeof createServer>, port = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  t.after(() => {
    if ("closeAllConnections" in server) server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function clientOf(t: TestContext, port: number, timeoutMs = 1000) {
  const ctx = testContext();
  const registry = createRegistry();
  const baseUrl = `http://127.0.0.1:${port}`;
  const client = createClient(thingsApi, { baseUrl, log: ctx.log, metrics: registry, timeoutMs });
  t.after(() => client.stop(testContext()).then(() => {}));
  return { client, ctx, registry };
}

/** A service that does what the test says, which may change its mind. */
async function service(t: TestContext, answer: RequestListener) {
  const state = { answer, requests: 0 };
  const server = createHttpServer((request, response) => {
    state.requests++;
    state.answer(request, response);
  });
  return { state, port: await listening(t, server) };
}

const answers: RequestListener = (_, response) => {
  response.setHeader("content-type", "application/json");
  response.end(BODY);
};

async function timed(call: () => Promise<unknown>): Promise<{ readonly ms: number; readonly thrown: unknown }> {
  const startedAt = performance.now();
  const thrown = await call().then(
    () => undefined,
    (thrown) => thrown,
  );
  return { ms: performance.now() - startedAt, thrown };
}

for (const [what, answer] of [
  ["hangs", () => {}],
  [
    "drips",
    (_, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "10000" });
      const dripping = setInterval(() => response.write(" "), 20);
      response.on("close", () => clearInterval(dripping));
    },
  ],
] as const satisfies readonly (readonly [string, RequestListener])[]) {
  test(`H7: a service that ${what} costs a caller its time and no more, and soon nothing`, async (t) => {
    const { state, port } = await service(t, answer);
    const { client, ctx } = clientOf(t, port, 1000);
    const own = await timed(() => client.makeThing(ctx));
    assert.ok(hasCode(own.thrown, "timeout") && own.ms >= 999 && own.ms < 2000, `${own.ms} ms, ${own.thrown}`);
    const callers = await timed(() => withTimeout(ctx, 250, (ctx) => client.makeThing(ctx)));
    assert.ok(hasCode(callers.thrown, "timeout") && callers.ms >= 199 && callers.ms < 900, `${callers.ms} ms`);
    await Promise.all(Array.from({ length: 5 }, () => client.makeThing(ctx).catch(() => {})));
    const refused = await timed(() => client.makeThing(ctx));
    assert.ok(hasCode(refused.thrown, "unavailable") && refused.ms < 500, `${refused.ms} ms, ${refused.thrown}`);
    state.answer = answers;
    const backAt = performance.now();
    await eventually(async () => (await timed(() => client.readThing(ctx))).thrown === undefined, 5000);
    assert.ok(performance.now() - backAt < 2000);
  });
}

test("H7: no more than the places and those that may wait are taken by a service that hangs", async (t) => {
  const { state, port } = await service(t, () => {});
  const { client, ctx } = clientOf(t, port, 600);
  const calls = Array.from({ length: 200 }, () => timed(() => client.makeThing(ctx)));
  const refused = await Promise.all(calls.map(async (call) => (await call).thrown));
  assert.equal(state.requests, 32);
  const count = (code: "unavailable" | "timeout") => refused.filter((thrown) => hasCode(thrown, code)).length;
  assert.deepEqual([count("timeout"), count("unavailable")], [32, 168]);
});

test("H8: what waited for a slow service is not asked of it when its caller is gone", async (t) => {
  const held: (() => void)[] = [];
  const seen: number[] = [];
  const { port } = await service(t, ({ headers }, response) => {
    seen.push(Number(headers["x-envoy-expected-rq-timeout-ms"]));
    held.push(() => response.end(BODY));
  });
  const { client, ctx } = clientOf(t, port, 300);
  const calls = Array.from({ length: 60 }, () => client.makeThing(ctx).catch(() => {}));
  await Promise.all(calls);
  const asked = seen.length;
  for (const answer of held) answer();
  await delay(500);
  assert.equal(seen.length, asked);
  assert.ok(asked <= 32 && seen.every((ms) => ms > 0 && ms <= 300), `${asked} asked, with ${seen} ms`);
});

test("a connection that the service closed while it was idle fails no call that may be asked again", async (t) => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let answered = 0;
    socket.on("error", () => {});
    socket.on("data", () => {
      // The first of a connection is answered; to the next one it says goodbye, as a server does whose time is up.
      if (answered++ > 0) socket.destroy();
      else
        socket.write(
          `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`,
        );
    });
  });
  const { client, ctx } = clientOf(t, await listening(t, server));
  for (let n = 0; n < 6; n++) assert.deepEqual(await client.readThing(ctx), { n: 1 });
  assert.ok(sockets.size > 1);
});

test("H9: callers come back to a service that was away no faster than they called before", async (t) => {
  const { state, port } = await service(t, answers);
  const { client, ctx } = clientOf(t, port, 1000);
  /** Calls at a steady pace for so long, and gives how many requests came in the busiest tenth of a second. */
  const busiest = async (forMs: number): Promise<number> => {
    const counts: number[] = [];
    const until = performance.now() + forMs;
    while (performance.now() < until) {
      const before = state.requests;
      const tenthEnds = performance.now() + 100;
      while (performance.now() < tenthEnds) {
        void client.readThing(ctx).catch(() => {});
        await delay(5);
      }
      counts.push(state.requests - before);
    }
    return Math.max(...counts);
  };
  const steady = await busiest(1000);
  state.answer = (_, response) => response.destroy();
  await busiest(2000);
  state.answer = answers;
  const back = await busiest(3000);
  assert.ok(back <= 2 * steady + 5, `${back} in a tenth of a second, and usually ${steady}`);
  assert.deepEqual(await client.readThing(ctx), { n: 1 });
});
