import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { Type } from "typebox";
import { api, patch, post as postOperation } from "../contract/index.ts";
import { eventually, rawConnection, rawRequest, splitResponses } from "../testing/index.ts";
import { implement } from "./implement.ts";
import { post, route, serve } from "./server.suite.ts";

const LIMIT = 1000;

const Note = Type.Object({ text: Type.String({ maxLength: 900_000 }), stars: Type.Optional(Type.Integer()) });

const notes = api("notes", {
  add: postOperation("/notes", { body: Note, reply: Note, status: 201 }),
  change: patch("/notes", { body: Note, reply: Note }),
  touch: postOperation("/touch", { status: 204 }),
});

/** A server that takes notes, and how many reached its handler. */
async function serveNotes(t: Parameters<typeof serve>[0], options: Parameters<typeof serve>[2] = {}) {
  const taken: unknown[] = [];
  const take = async (_ctx: unknown, { body }: { body: { text: string; stars?: number } }) => {
    taken.push(body);
    return body;
  };
  const serving = await serve(t, implement(notes, { add: take, change: take, touch: async () => {} }), options);
  const send = (body: string | Uint8Array, headers: Record<string, string> = { "content-type": "application/json" }) =>
    serving.request({ method: "POST", path: "/notes", body, headers });
  return { ...serving, send, taken };
}

const readsAll = route("POST", "/bytes", async (_ctx, request) => ({
  status: 200,
  body: String((await request.readBody()).length),
}));

test("F1: a caller that leaves in the middle of its body has nothing run with it, and is no error of the server", async (t) => {
  const { port, taken, lines, metric } = await serveNotes(t);
  const head = "POST /notes HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
  const halves = ['Content-Length: 12\r\n\r\n{"text"', 'Transfer-Encoding: chunked\r\n\r\n7\r\n{"text"\r\n5\r\n:'];
  for (const half of halves) {
    for (const leave of ["reset", "close"] as const) {
      const client = rawConnection(t, port);
      client.send(head + half);
      await eventually(async () => (await metric("http_requests_in_flight")) === 1);
      client[leave]();
      await eventually(async () => (await metric("http_requests_in_flight")) === 0, 1000);
    }
  }
  assert.equal(await metric('http_requests_total{method="POST",endpoint="/notes",status="499"}'), 4);
  const access = lines.filter(({ msg }) => msg === "request");
  assert.ok(access.every(({ level, client_closed }) => level === "info" && client_closed === true));
  assert.deepEqual([taken, lines.filter(({ level }) => level === "error")], [[], []]);
});

test("F6: a declared length over the limit gets 413 before the body is read, with no 100 Continue", async (t) => {
  const { server, port } = await serve(t, [readsAll], { maxBodyBytes: LIMIT });
  const seen: { bytesRead: number }[] = [];
  server.nodeServer.on("connection", (socket) => seen.push(socket));
  for (const expect of [["Expect: 100-continue"], []]) {
    const head = ["POST /bytes HTTP/1.1", "Host: a", "Content-Length: 1000000000", ...expect].join("\r\n");
    const { responses, end, ms } = await rawRequest(port, `${head}\r\n\r\n`);
    assert.deepEqual(
      responses.map(({ status }) => status),
      [413],
    );
    assert.deepEqual([responses[0]?.headers.connection, end], ["close", "closed"]);
    assert.ok(ms < 400, `${ms} ms`);
    assert.equal(seen.at(-1)?.bytesRead, head.length + 4);
  }
});

test("F6: a length one over a limit of a few bytes is refused and closed too, and one at the limit is not", async (t) => {
  const { port } = await serve(t, [readsAll], { maxBodyBytes: 3 });
  const { responses } = await rawRequest(port, post("/bytes", "123") + post("/bytes", "1234") + post("/bytes", "123"));
  assert.deepEqual(
    responses.map(({ status }) => status),
    [200, 413],
  );
});

test("a client that waits for 100 Continue gets it when its body is wanted, and a refusal alone when it is not", async (t) => {
  const refuses = route("POST", "/refuses", async () => ({ status: 403 }));
  const { port } = await serve(t, [readsAll, refuses]);
  const client = rawConnection(t, port);
  client.send("POST /bytes HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  await eventually(() => String(client.received) === "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hi");
  await eventually(() => splitResponses(client.received).responses.at(-1)?.status === 200);
  const refused = await rawRequest(
    port,
    "POST /refuses HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
  );
  assert.deepEqual([refused.responses.map(({ status }) => status), refused.end], [[403], "closed"]);
});

test("F7: a body that comes in chunks without end is refused at the limit, and no more of it is read", async (t) => {
  const { server, port } = await serve(t, [readsAll], { maxBodyBytes: 100_000 });
  const seen: { bytesRead: number }[] = [];
  server.nodeServer.on("connection", (socket) => seen.push(socket));
  const client = rawConnection(t, port);
  client.send("POST /bytes HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  const chunk = `4000\r\n${"x".repeat(0x4000)}\r\n`;
  const flood = setInterval(() => client.send(chunk.repeat(64)), 1);
  t.after(() => clearInterval(flood));
  assert.notEqual(await client.ended(5000), "open");
  clearInterval(flood);
  assert.deepEqual(
    splitResponses(client.received).responses.map(({ status }) => status),
    [413],
  );
  assert.ok((seen[0]?.bytesRead ?? 0) < 100_000 + 3 * 65_536, `${seen[0]?.bytesRead} bytes`);
});

test("F8: a compressed body is refused by its coding, and never unpacked", async (t) => {
  const { send, taken } = await serveNotes(t);
  const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
  for (const coding of ["gzip", "br", "deflate", "GZIP", "gzip, gzip", "x-unknown"]) {
    const { status, headers } = await send(bomb, { "content-type": "application/json", "content-encoding": coding });
    assert.deepEqual([status, headers["accept-encoding"]], [415, "identity"], coding);
  }
  assert.equal(
    (await send('{"text":"a"}', { "content-type": "application/json", "content-encoding": "identity" })).status,
    201,
  );
  assert.equal(taken.length, 1);
});

test("F9: what is not JSON is refused with its place, and not repeated", async (t) => {
  const { send, taken } = await serveNotes(t);
  const bodies = [
    "",
    " ",
    "{",
    '{"text":"secret"',
    '{"text":"secret"}}',
    "\ufeff{}",
    "NaN",
    "{'text':'secret'}",
    '{"text":secret}',
  ];
  for (const body of bodies) {
    const reply = await send(body);
    assert.equal(reply.status, 400, body);
    assert.doesNotMatch(reply.body, /secret/);
    if (body !== "") assert.match(reply.body, /line 1, column \d+/);
  }
  assert.deepEqual(taken, []);
});

test("F10: a body of another type is refused with the type that is wanted", async (t) => {
  const { request, taken } = await serveNotes(t);
  const types = [
    undefined,
    "",
    "text/plain",
    "application/jsonx",
    "application/json; charset=latin1",
    "text/json",
    "*/*",
  ];
  for (const [method, header] of [
    ["POST", "accept-post"],
    ["PATCH", "accept-patch"],
  ] as const) {
    for (const type of types) {
      const headers = type === undefined ? {} : { "content-type": type };
      const reply = await request({ method, path: "/notes", body: '{"text":"a"}', headers });
      assert.deepEqual([reply.status, reply.headers[header]], [415, "application/json"], type);
    }
  }
  for (const type of [
    "application/json",
    "APPLICATION/JSON",
    'application/json; charset="UTF-8"',
    "application/json ;charset=utf-8",
  ]) {
    const reply = await request({
      method: "POST",
      path: "/notes",
      body: '{"text":"a"}',
      headers: { "content-type": type },
    });
    assert.equal(reply.status, 201, type);
  }
  assert.equal(taken.length, 4);
});

test("F11: bodies that are deep, wide or long are refused without holding up others", async (t) => {
  const { send, taken, request } = await serveNotes(t);
  const bodies = [
    "[".repeat(500_000),
    '{"a":'.repeat(100_000),
    `{${Array.from({ length: 80_000 }, (_, at) => `"k${at}":1`).join()}}`,
    `[${"1,".repeat(500_000)}1]`,
    `{"text":${"9".repeat(1_000_000)}}`,
    `{"text":"${"x".repeat(950_000)}"}`,
    `{"text":"${"x".repeat(2_000_000)}"}`,
  ];
  for (const body of bodies) {
    const asked = send(body);
    assert.equal((await request({ path: "/livez" })).status, 200);
    assert.ok([400, 413].includes((await asked).status));
  }
  assert.deepEqual(taken, []);
});

test("F12: keys that reach a prototype are refused, and reach none", async (t) => {
  const { send, taken } = await serveNotes(t);
  for (const body of [
    '{"__proto__":{"polluted":1},"text":"a"}',
    '{"text":"a","constructor":{"prototype":{"polluted":1}}}',
  ]) {
    assert.equal((await send(body)).status, 400);
  }
  assert.equal("polluted" in {}, false);
  assert.deepEqual(taken, []);
});

test("F13: a key that is given twice is refused", async (t) => {
  const { send, taken } = await serveNotes(t);
  assert.equal((await send('{"text":"a","text":"b"}')).status, 400);
  assert.equal((await send('{"text":"a","\\u0074ext":"b"}')).status, 400);
  assert.deepEqual(taken, []);
});

test("F14: a number that would become another one is refused", async (t) => {
  const { send, taken } = await serveNotes(t);
  for (const stars of ["1e400", "9007199254740993", "-0", "1.5", "1e-400", "0x10", "+1", "01", "Infinity"]) {
    assert.equal((await send(`{"text":"a","stars":${stars}}`)).status, 400, stars);
  }
  assert.deepEqual(taken, []);
});

test("F15: bytes that are not UTF-8 are refused in a body, a query and a path", async (t) => {
  const { send, taken, request } = await serveNotes(t);
  for (const bytes of [[0xc3, 0x28], [0xff], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xf4, 0x90, 0x80, 0x80]]) {
    const body = Buffer.concat([Buffer.from('{"text":"'), Buffer.from(bytes), Buffer.from('"}')]);
    assert.equal((await send(body)).status, 400);
    const encoded = bytes.map((byte) => `%${byte.toString(16)}`).join("");
    assert.equal((await request({ path: `/notes/${encoded}` })).status, 400);
    assert.equal((await request({ method: "POST", path: `/touch?${encoded}=1` })).status, 400);
  }
  assert.deepEqual(taken, []);
});

test("F16: NUL and lone surrogates are refused; other odd characters arrive as they are", async (t) => {
  const { send, taken } = await serveNotes(t);
  for (const text of ["\\u0000", "\\ud800", "\\udc00x", "a\\ud800b"]) {
    assert.equal((await send(`{"text":"${text}"}`)).status, 400, text);
  }
  const odd = "\u202e\u2028\u0085\ufeff\u{1f469}\u200d\u{1f680}\n\u001b[31m";
  const reply = await send(JSON.stringify({ text: odd }));
  assert.deepEqual([reply.status, reply.json(), taken], [201, { text: odd }, [{ text: odd }]]);
});

test("an operation without a body refuses one", async (t) => {
  const { request } = await serveNotes(t);
  assert.equal((await request({ method: "POST", path: "/touch" })).status, 204);
  assert.equal((await request({ method: "POST", path: "/touch", body: "x" })).status, 400);
  assert.equal((await request({ method: "POST", path: "/touch", json: {} })).status, 400);
});
