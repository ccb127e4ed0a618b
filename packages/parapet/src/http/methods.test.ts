import assert from "node:assert/strict";
import { test } from "node:test";
import { AppError } from "../errors/index.ts";
import { rawRequest } from "../testing/index.ts";
import { ping, post, route, serve } from "./server.suite.ts";

const LAST = "Connection: close";

function bytesOf(method: string, path: string, ...fields: readonly string[]): string {
  return `${[`${method} ${path} HTTP/1.1`, "Host: a", ...fields, LAST].join("\r\n")}\r\n\r\n`;
}

test("F22: a method that a path has not gets 405 with the ones it has, and one that nobody knows gets 501", async (t) => {
  const { port } = await serve(t, [ping(), route("POST", "/ping", async () => ({ status: 201 })), ping("/only")]);
  for (const method of ["PUT", "PATCH", "DELETE", "TRACE", "PURGE", "PROPFIND", "QUERY"]) {
    const { responses } = await rawRequest(port, bytesOf(method, "/ping"));
    const [answer] = responses;
    if (answer?.status === 501) continue;
    assert.deepEqual([answer?.status, answer?.headers.allow], [405, "GET, HEAD, OPTIONS, POST"], method);
  }
  assert.equal((await rawRequest(port, bytesOf("POST", "/only"))).responses[0]?.headers.allow, "GET, HEAD, OPTIONS");
  for (const method of ["BREW", "get", "Get", "X-METHOD"]) {
    assert.equal((await rawRequest(port, bytesOf(method, "/ping"))).responses[0]?.status, 501, method);
  }
  assert.equal((await rawRequest(port, bytesOf("CONNECT", "a:80"))).responses[0]?.status, 501);
});

test("F22: HEAD is answered as GET is, without the body", async (t) => {
  const fails = route("GET", "/fails", async () => {
    throw new AppError("conflict", "it is taken");
  });
  const { port } = await serve(t, [ping(), fails]);
  for (const path of ["/ping", "/fails", "/nowhere", "/livez", "/a//b"]) {
    const [got, head] = await Promise.all(
      ["GET", "HEAD"].map((method) => rawRequest(port, bytesOf(method, path, "X-Request-Id: same"))),
    );
    const [plain, bare] = [got?.responses[0], head?.responses[0]];
    assert.deepEqual([bare?.status, bare?.body.length], [plain?.status, 0], path);
    assert.deepEqual({ ...bare?.headers, date: "" }, { ...plain?.headers, date: "" }, path);
    assert.equal(head?.rest.length, 0);
  }
});

test("F22: OPTIONS tells what a path can do, and * what the server can", async (t) => {
  const { port } = await serve(t, [ping()]);
  const [path, all, nowhere] = await Promise.all(
    ["/ping", "*", "/nowhere"].map((target) => rawRequest(port, bytesOf("OPTIONS", target))),
  );
  assert.deepEqual([path?.responses[0]?.status, path?.responses[0]?.headers.allow], [204, "GET, HEAD, OPTIONS"]);
  assert.equal(all?.responses[0]?.status, 204);
  assert.equal(nowhere?.responses[0]?.status, 404);
  assert.equal((await rawRequest(port, bytesOf("GET", "*"))).responses[0]?.status, 400);
});

test("F22: headers and parameters that ask for another method are not heard", async (t) => {
  const { port } = await serve(t, [ping(), route("POST", "/ping", async () => ({ status: 201 }))]);
  for (const name of ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method"]) {
    const { responses } = await rawRequest(port, post("/ping?_method=DELETE", "", `${name}: DELETE`, LAST));
    assert.equal(responses[0]?.status, 201, name);
  }
});

test("F23: an upgrade is ignored, and an expectation that can't be met gets 417", async (t) => {
  const { port } = await serve(t, [ping()]);
  const h2c = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"];
  for (const fields of [h2c, ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]]) {
    const { responses } = await rawRequest(
      port,
      `${["GET /ping HTTP/1.1", "Host: a", ...fields].join("\r\n")}\r\n\r\n`,
      {
        timeoutMs: 300,
      },
    );
    assert.deepEqual(
      responses.map(({ status }) => status),
      [200],
    );
  }
  for (const expect of ["junk", "200-ok", "100-continue-now"]) {
    const { responses } = await rawRequest(port, bytesOf("GET", "/ping", `Expect: ${expect}`));
    assert.deepEqual(
      responses.map(({ status }) => status).filter((status) => status !== 100),
      [417],
      expect,
    );
  }
  // A client of HTTP/1.0 knows no interim answers.
  const { responses } = await rawRequest(port, "GET /ping HTTP/1.0\r\nExpect: 100-continue\r\n\r\n");
  assert.deepEqual(
    responses.map(({ status }) => status),
    [200],
  );
});
