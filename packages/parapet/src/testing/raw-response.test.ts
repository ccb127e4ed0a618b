import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { splitResponses } from "./raw-response.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

function split(text: string, methods?: readonly string[]) {
  const { responses, rest } = splitResponses(Buffer.from(text, "latin1"), methods);
  return { found: responses.map(({ status, body }) => `${status} ${body}`.trim()), rest: rest.toString("latin1") };
}

test("nothing holds no response", () => {
  assert.deepEqual(split(""), { found: [], rest: "" });
});

test("several responses on one connection come apart", () => {
  assert.deepEqual(split(`${OK}${OK}HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n`), {
    found: ["200 hi", "200 hi", "400"],
    rest: "",
  });
});

test("headers have lower-case names, and several of one name are joined", () => {
  const { responses } = splitResponses(
    Buffer.from("HTTP/1.1 204 No Content\r\nVary:  a\r\nX-Y: 1:2 \r\nvary: b\r\n\r\n"),
  );
  assert.deepEqual(responses[0]?.headers, { vary: "a, b", "x-y": "1:2" });
});

test("chunks are put together, with extensions left out", () => {
  const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n, world...\r\n0\r\n\r\n";
  assert.deepEqual(split(chunked + OK), { found: ["200 hello, world...", "200 hi"], rest: "" });
});

test("what has no body by its status or its request's method takes none from the next response", () => {
  const found = ["100", "204", "304", "200", "200 hi"];
  const head = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";
  const bare = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 \r\n\r\nHTTP/1.1 304 x\r\ncontent-length: 2\r\n\r\n";
  assert.deepEqual(split(bare + head + OK, ["GET", "GET", "HEAD"]), { found, rest: "" });
});

test("without a length the body goes on to the end", () => {
  assert.deepEqual(split(`HTTP/1.0 200 OK\r\n\r\n${OK}`), { found: [`200 ${OK}`], rest: "" });
});

test("bytes that are no response are the rest, and so is a response that is not complete", () => {
  assert.deepEqual(split(`${OK}garbage\r\n\r\n`), { found: ["200 hi"], rest: "garbage\r\n\r\n" });
  const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
  for (const whole of [OK, chunked]) {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: whole.length - 1 }), (length) => {
        const part = whole.slice(0, length);
        assert.deepEqual(split(OK + part), { found: ["200 hi"], rest: part });
      }),
    );
  }
});
