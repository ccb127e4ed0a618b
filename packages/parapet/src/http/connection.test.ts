import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { sleep } from "../context/index.ts";
import { eventually, rawConnection, rawRequest } from "../testing/index.ts";
import { rawRoute } from "./route.ts";
import { gate, get, ping, post, route, serve } from "./server.suite.ts";

const LAST = "Connection: close";

test("F23: pipelined requests are answered in their order, however long each takes", async (t) => {
  const { port } = await serve(t, [
    route("GET", "/wait/{ms}", async (ctx, { params }) => {
      await sleep(ctx, Number(params.ms));
      return { status: 200, body: params.ms ?? "" };
    }),
  ]);
  const waits = ["60", "1", "30", "0", "10"];
  const requests = waits.map((ms, at) => get(`/wait/${ms}`, ...(at === waits.length - 1 ? [LAST] : [])));
  const { responses, end } = await rawRequest(port, requests.join(""));
  assert.deepEqual([responses.map(({ body }) => String(body)), end], [waits, "closed"]);
});

test("one connection has one request run at a time, and all it sent are answered", async (t) => {
  let running = 0;
  let most = 0;
  const { port } = await serve(t, [
    route("GET", "/turn", async () => {
      running += 1;
      most = Math.max(most, running);
      await turn();
      running -= 1;
      return { status: 200 };
    }),
  ]);
  const { responses, rest } = await rawRequest(port, get("/turn").repeat(5000) + get("/turn", LAST), {
    timeoutMs: 30_000,
  });
  assert.deepEqual([responses.length, rest.length, most], [5001, 0, 1]);
});

test("while a request runs, no more than one read of what follows is taken in", async (t) => {
  const { opened, open } = gate();
  const { server, port } = await serve(t, [
    route("GET", "/gate", async () => {
      await opened;
      return { status: 200 };
    }),
  ]);
  const taken: { bytesRead: number }[] = [];
  server.nodeServer.on("connection", (socket) => taken.push(socket));
  const connection = rawConnection(t, port);
  connection.send(get("/gate").repeat(100_000));
  await eventually(() => (taken[0]?.bytesRead ?? 0) > 0);
  assert.equal(await connection.ended(100), "open");
  assert.ok((taken[0]?.bytesRead ?? 0) <= 2 * 65_536, `${taken[0]?.bytesRead} bytes`);
  open();
});

test("bodies that were pipelined each reach their own request", async (t) => {
  const { port } = await serve(t, [
    route("POST", "/length", async (_ctx, request) => {
      const body = await request.readBody();
      return { status: 200, body: String(body.length) };
    }),
  ]);
  const lengths = [0, 1, 16_384, 65_536, 200_000, 3, 100_000];
  const requests = lengths.map((length) => post("/length", "x".repeat(length)));
  const { responses } = await rawRequest(port, requests.join("") + post("/length", "", LAST));
  assert.deepEqual(
    responses.map(({ body }) => Number(String(body))),
    [...lengths, 0],
  );
});

test("a connection is good for more after an error", async (t) => {
  const { port } = await serve(t, [
    ping(),
    route("POST", "/fails", async (_ctx, request) => {
      await request.readBody();
      throw new Error("broken");
    }),
  ]);
  const requests = [get("/nowhere"), post("/fails", "x"), post("/ping", ""), get("/a//b"), get("/ping", LAST)];
  const { responses } = await rawRequest(port, requests.join(""));
  assert.deepEqual(
    responses.map(({ status }) => status),
    [404, 500, 405, 400, 200],
  );
});

test("what follows the last request and is none is refused after the answers before it", async (t) => {
  const { port, metric, lines } = await serve(t, [
    route("GET", "/slow", async (ctx) => {
      await sleep(ctx, 20);
      return { status: 200 };
    }),
  ]);
  const { responses, end } = await rawRequest(port, `${get("/slow")}${get("/slow")}nonsense\r\n\r\n`);
  assert.deepEqual([responses.map(({ status }) => status), end], [[200, 200, 400], "closed"]);
  assert.equal(await metric('http_requests_total{method="__other__",endpoint="__other__",status="400"}'), 1);
  const refused = lines.find(({ msg }) => msg === "request refused");
  assert.equal(refused?.request_id, responses[2]?.headers["x-request-id"]);
});

test("a waiting request whose body is malformed is not run", async (t) => {
  const ran: string[] = [];
  const { port } = await serve(t, [
    route("GET", "/slow", async (ctx) => {
      await sleep(ctx, 20);
      return { status: 200 };
    }),
    route("POST", "/target", async () => {
      ran.push("target");
      return { status: 200 };
    }),
  ]);
  const broken = "POST /target HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n";
  const { responses, end } = await rawRequest(port, get("/slow") + broken);
  assert.deepEqual([responses.map(({ status }) => status), end, ran], [[200, 400], "closed", []]);
});

test("nothing that follows an answer which closes the connection is run", async (t) => {
  const ran: string[] = [];
  const { port } = await serve(t, [
    route("GET", "/ran", async () => {
      ran.push("ran");
      return { status: 200 };
    }),
  ]);
  const unread = "POST /ran HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n";
  for (const last of [get("/ran", "Host: b"), unread + get("/ran"), get("/ran", LAST)]) {
    const { responses, end } = await rawRequest(port, last + get("/ran").repeat(3));
    assert.deepEqual([responses.length, end], [1, "closed"]);
  }
  assert.deepEqual(ran, ["ran"]);
});

test("a tunnel that was asked for behind other requests is refused after their answers", async (t) => {
  const { port } = await serve(t, [
    route("GET", "/slow", async (ctx) => {
      await sleep(ctx, 20);
      return { status: 200 };
    }),
  ]);
  const { responses, end } = await rawRequest(port, `${get("/slow")}CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nbytes`);
  assert.deepEqual([responses.map(({ status }) => status), end], [[200, 501], "closed"]);
});

test("answers that are streamed before a tunnel's refusal come whole, and end with their peer", async (t) => {
  const { port, metric } = await serve(t, [
    // More than the kernel takes at once, so that most of it waits for the client.
    ...rawRoute(
      "/large",
      (_request, response) => void Readable.from(Array(100).fill("x".repeat(64_000))).pipe(response),
    ),
    ...rawRoute("/endless", (_request, response) => void response.write("x")),
  ]);
  const tunnel = "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n";
  const { responses } = await rawRequest(port, get("/large") + tunnel);
  assert.deepEqual(
    responses.map(({ status, body }) => (status === 200 ? body.length : status)),
    [6_400_000, 501],
  );

  const client = rawConnection(t, port);
  client.send(get("/endless") + tunnel);
  await eventually(() => client.received.length > 0);
  client.close();
  await eventually(async () => (await metric("http_connections")) === 0);
});

test("a peer that resets a tunnel it was refused, or anything else, leaves the server standing", async (t) => {
  const { port, request } = await serve(t, [ping()]);
  const heads = [
    "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
    "nonsense\r\n\r\n",
    get("/ping"),
    "GET /pi",
    post("/ping", ""),
  ];
  for (const head of heads) {
    for (const pause of [0, 5, 20]) {
      const connection = rawConnection(t, port);
      connection.send(head);
      await connection.ended(pause);
      connection.send("more");
      connection.reset();
    }
  }
  assert.equal((await request({ path: "/ping" })).status, 200);
});
