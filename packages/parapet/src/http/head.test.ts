import assert from "node:assert/strict";
import { test } from "node:test";
import { rawRequest } from "../testing/index.ts";
import { get, ping, route, serve } from "./server.suite.ts";

const LAST = "Connection: close";

async function statusOf(port: number, bytes: string): Promise<number | undefined> {
  return (await rawRequest(port, bytes)).responses[0]?.status;
}

test("F17: a header of more than 16 KiB, a field of more than 8 KiB or more than 100 fields get 431", async (t) => {
  const { port } = await serve(t, [ping()]);
  const fields = (count: number) => Array.from({ length: count }, (_, at) => `X-${at}: 1`);
  const refused = {
    "one long field": [`X: ${"x".repeat(20_000)}`],
    "one field of a megabyte": [`X: ${"x".repeat(1_000_000)}`],
    "many long fields": fields(90).map((field) => field + "x".repeat(200)),
    "a long cookie": [`Cookie: a=${"x".repeat(8192)}`],
    "101 fields": fields(99),
    "3000 fields": fields(3000),
    "a long name": [`${"X".repeat(17_000)}: 1`],
  };
  for (const [name, lines] of Object.entries(refused)) {
    assert.equal(await statusOf(port, get("/ping", ...lines, LAST)), 431, name);
  }
  assert.equal(await statusOf(port, get("/ping", ...fields(98), LAST)), 200);
  assert.equal(await statusOf(port, get("/ping", `Cookie: a=${"x".repeat(8000)}`, LAST)), 200);
});

test("F17: more than 100 fields are refused, not cut off", async (t) => {
  const { port } = await serve(t, [ping()]);
  const last = Array.from({ length: 2100 }, () => "X: 1");
  assert.equal(await statusOf(port, get("/ping", ...last, "Host: b", LAST)), 431);
});

test("F18: a target of more than 8 KiB gets 414, however much more it is", async (t) => {
  const { port } = await serve(t, [ping(), ping("/{id}")]);
  for (const length of [8192, 8193, 10_000, 20_000, 60_000]) {
    assert.equal(await statusOf(port, get(`/${"x".repeat(length)}`, LAST)), 414, String(length));
    assert.equal(await statusOf(port, get(`/ping?${"x".repeat(length)}`, LAST)), 414, String(length));
  }
  assert.equal(await statusOf(port, get(`/${"x".repeat(8191)}`, LAST)), 200);
});

test("F19: no spelling of a path reaches another route's handler", async (t) => {
  const reached: string[] = [];
  const reach = (path: string) =>
    route("GET", path, async () => {
      reached.push(path);
      return { status: 200 };
    });
  const { port } = await serve(t, [reach("/admin/secret"), reach("/files/{name}"), reach("/files"), reach("/")]);
  const spellings = [
    "/files/../admin/secret",
    "/files/..%2fadmin%2fsecret",
    "/files/%2e%2e/admin/secret",
    "/files/%2E./admin/secret",
    "/files/.%2e/admin/secret",
    "/./admin/secret",
    "/admin/./secret",
    "/admin/.",
    "/admin/..",
    "//admin/secret",
    "/admin//secret",
    "/admin\\secret",
    "/admin%5csecret",
    "/admin%2fsecret",
    "/admin%252fsecret",
    "/files/..%252fadmin",
    "/admin/secret%00",
    "/admin/secret%00.png",
    "/admin/secret%0a",
    "/admin/secret%7f",
    "/admin/secret/",
    "/ADMIN/secret",
    "/admin/secret#x",
    "/admin/secret;x=1",
    "/admin/secret%3fx",
    "/admin/secret%",
    "/admin/secret%zz",
    "/admin/s\xe9cret",
    "/%c0%af",
    "admin/secret",
    "*",
    "?/admin/secret",
    "file:///admin/secret",
    "a:80",
  ];
  for (const spelling of spellings) {
    const { responses, end } = await rawRequest(port, get(spelling, LAST));
    assert.ok([400, 404].includes(responses[0]?.status ?? 0) || reached.splice(0).join() === "/files/{name}", spelling);
    assert.equal(end, "closed");
    assert.deepEqual(reached, [], spelling);
  }
  // One decoding, whatever of a plain path was encoded.
  assert.equal(await statusOf(port, get("/%61dmin/secre%74", LAST)), 200);
  assert.deepEqual(reached, ["/admin/secret"]);
});

test("F21: two Host fields, none, an invalid one, or another than in the target get 400 and the connection is closed", async (t) => {
  const { port } = await serve(t, [ping()]);
  const heads = [
    "GET /ping HTTP/1.1\r\n\r\n",
    get("/ping", "Host: a"),
    get("/ping", "host: b"),
    ...[
      "",
      "a b",
      "a/b",
      "a,b",
      "u@a",
      "a:b",
      "a:",
      "a:99999",
      "[::1",
      "::1",
      "a\t",
      "\u00e9",
      "a?b",
      "a#b",
      "<a>",
      "a\\b",
    ].map((host) => `GET /ping HTTP/1.1\r\nHost: ${host.trimEnd() === host ? host : `${host}x`}\r\n\r\n`),
    "GET http://b/ping HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET http://a:8080/ping HTTP/1.1\r\nHost: a\r\n\r\n",
  ];
  for (const head of heads) {
    const { responses, end } = await rawRequest(port, head);
    assert.deepEqual([responses.map(({ status }) => status), end], [[400], "closed"], JSON.stringify(head));
  }
  const fine = [
    "a",
    "a.example.com",
    "a.example.com:8080",
    "127.0.0.1:1",
    "[::1]:8080",
    "[2001:db8::1]",
    "under_score",
    "xn--bcher-kva.example",
  ];
  for (const host of fine) {
    assert.equal(await statusOf(port, `GET /ping HTTP/1.1\r\nHost: ${host}\r\n${LAST}\r\n\r\n`), 200, host);
    assert.equal(
      await statusOf(port, `GET http://${host}/ping?x HTTP/1.1\r\nHost: ${host}\r\n${LAST}\r\n\r\n`),
      200,
      host,
    );
  }
  assert.equal(await statusOf(port, "GET /ping HTTP/1.0\r\n\r\n"), 200);
});
