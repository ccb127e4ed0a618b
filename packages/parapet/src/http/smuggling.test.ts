import assert from "node:assert/strict";
import { test } from "node:test";
import { rawRequest } from "../testing/index.ts";
import { route, serve } from "./server.suite.ts";

const SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
const CHUNKED = "Transfer-Encoding: chunked";
const LONG = "x".repeat(17 * 1024);

/** A POST with these fields and what follows its head. */
function post(fields: readonly string[], rest: string, version = "HTTP/1.1"): string {
  return `${[`POST /target ${version}`, "Host: a", ...fields].join("\r\n")}\r\n\r\n${rest}`;
}

/** A chunked POST whose body is these bytes. */
function chunked(body: string): string {
  return post([CHUNKED], body);
}

/** A GET with this request line and these further lines. */
function get(line: string, ...fields: string[]): string {
  return `${[line, ...fields].join("\r\n")}\r\n\r\n`;
}

const CORPUS: Readonly<Record<string, string>> = {
  // Two lengths.
  "length and chunked": post(["Content-Length: 5", CHUNKED], `0\r\n\r\n${SMUGGLED}`),
  "chunked and length": post([CHUNKED, "Content-Length: 5"], `0\r\n\r\n${SMUGGLED}`),
  "chunked and length 0": post([CHUNKED, "Content-Length: 0"], `0\r\n\r\n${SMUGGLED}`),
  "two lengths": post(["Content-Length: 5", "Content-Length: 6"], `aaaaa${SMUGGLED}`),
  "two equal lengths": post(["Content-Length: 5", "Content-Length: 5"], `aaaaa${SMUGGLED}`),
  "a list of lengths": post(["Content-Length: 5, 5"], `aaaaa${SMUGGLED}`),
  "a list of two lengths": post(["Content-Length: 5,6"], `aaaaa${SMUGGLED}`),
  // Lengths that are none.
  "length with a plus": post(["Content-Length: +5"], `aaaaa${SMUGGLED}`),
  "negative length": post(["Content-Length: -1"], SMUGGLED),
  "hexadecimal length": post(["Content-Length: 0x5"], `aaaaa${SMUGGLED}`),
  "empty length": post(["Content-Length: "], SMUGGLED),
  "length in words": post(["Content-Length: five"], `aaaaa${SMUGGLED}`),
  "length with a fraction": post(["Content-Length: 5.0"], `aaaaa${SMUGGLED}`),
  "length with an exponent": post(["Content-Length: 5e0"], `aaaaa${SMUGGLED}`),
  "length with an underscore": post(["Content-Length: 1_0"], `aaaaaaaaaa${SMUGGLED}`),
  "length with a space within": post(["Content-Length: 1 0"], `aaaaaaaaaa${SMUGGLED}`),
  "length beyond 64 bits": post(["Content-Length: 18446744073709551621"], `aaaaa${SMUGGLED}`),
  "length in quotes": post(['Content-Length: "5"'], `aaaaa${SMUGGLED}`),
  "length with a vertical tab": post(["Content-Length: \x0b5"], `aaaaa${SMUGGLED}`),
  "length of full-width digits": post(["Content-Length: \xef\xbc\x95"], `aaaaa${SMUGGLED}`),
  // Codings.
  "unknown coding": post(["Transfer-Encoding: xchunked"], `0\r\n\r\n${SMUGGLED}`),
  "identity coding": post(["Transfer-Encoding: identity"], SMUGGLED),
  "chunked, then identity": post(["Transfer-Encoding: chunked, identity"], `0\r\n\r\n${SMUGGLED}`),
  "identity, then chunked": post(["Transfer-Encoding: identity, chunked"], `0\r\n\r\n${SMUGGLED}`),
  "gzip, then chunked": post(["Transfer-Encoding: gzip, chunked"], `0\r\n\r\n${SMUGGLED}`),
  "chunked twice": post(["Transfer-Encoding: chunked, chunked"], `0\r\n\r\n${SMUGGLED}`),
  "chunked in two fields": post([CHUNKED, CHUNKED], `0\r\n\r\n${SMUGGLED}`),
  "chunked and another in two fields": post([CHUNKED, "Transfer-Encoding: cow"], `0\r\n\r\n${SMUGGLED}`),
  "another and chunked in two fields": post(["Transfer-Encoding: cow", CHUNKED], `0\r\n\r\n${SMUGGLED}`),
  "chunked with a parameter": post(["Transfer-Encoding: chunked;q=1"], `0\r\n\r\n${SMUGGLED}`),
  "chunked in quotes": post(['Transfer-Encoding: "chunked"'], `0\r\n\r\n${SMUGGLED}`),
  "chunked with a vertical tab": post(["Transfer-Encoding: \x0bchunked"], `0\r\n\r\n${SMUGGLED}`),
  "chunked with a NUL": post(["Transfer-Encoding: chunked\x00"], `0\r\n\r\n${SMUGGLED}`),
  "chunked with a comma": post(["Transfer-Encoding: chunked,"], `0\r\n\r\n${SMUGGLED}`),
  "empty coding": post(["Transfer-Encoding:"], SMUGGLED),
  "chunked in HTTP/1.0": post([CHUNKED], `0\r\n\r\n${SMUGGLED}`, "HTTP/1.0"),
  "chunked and keep-alive in HTTP/1.0": post([CHUNKED, "Connection: keep-alive"], `0\r\n\r\n${SMUGGLED}`, "HTTP/1.0"),
  // Chunks.
  "chunk size with 0x": chunked(`0x5\r\naaaaa\r\n0\r\n\r\n${SMUGGLED}`),
  "chunk size with a plus": chunked(`+5\r\naaaaa\r\n0\r\n\r\n${SMUGGLED}`),
  "negative chunk size": chunked(`-5\r\naaaaa\r\n0\r\n\r\n${SMUGGLED}`),
  "chunk size in words": chunked(`five\r\naaaaa\r\n0\r\n\r\n${SMUGGLED}`),
  "empty chunk size": chunked(`\r\naaaaa\r\n0\r\n\r\n${SMUGGLED}`),
  "chunk size after a space": chunked(` 5\r\naaaaa\r\n0\r\n\r\n${SMUGGLED}`),
  "chunk size beyond 64 bits": chunked(`10000000000000005\r\naaaaa\r\n0\r\n\r\n${SMUGGLED}`),
  "chunk longer than its size": chunked(`5\r\naaaaaaa\r\n0\r\n\r\n${SMUGGLED}`),
  "chunk without its end of line": chunked(`5\r\naaaaa0\r\n\r\n${SMUGGLED}`),
  "chunk size ended by a bare LF": chunked(`5\naaaaa\r\n0\r\n\r\n${SMUGGLED}`),
  "chunk size ended by a bare CR": chunked(`5\raaaaa\r\n0\r\n\r\n${SMUGGLED}`),
  "chunk ended by a bare LF": chunked(`5\r\naaaaa\n0\r\n\r\n${SMUGGLED}`),
  "last chunk ended by a bare LF": chunked(`5\r\naaaaa\r\n0\n\n${SMUGGLED}`),
  "chunk extension with a bare LF": chunked(`5;a\nb\r\naaaaa\r\n0\r\n\r\n${SMUGGLED}`),
  "chunk extension with a bare CR": chunked(`5;a\rb\r\naaaaa\r\n0\r\n\r\n${SMUGGLED}`),
  "chunk extension with a NUL": chunked(`5;a\x00b\r\naaaaa\r\n0\r\n\r\n${SMUGGLED}`),
  "chunk extension over 16 KiB": chunked(`5;a=${LONG}\r\naaaaa\r\n0\r\n\r\n${SMUGGLED}`),
  "trailer with a space before its colon": chunked(`0\r\nX : y\r\n\r\n${SMUGGLED}`),
  "trailer folded": chunked(`0\r\nX: y\r\n z\r\n\r\n${SMUGGLED}`),
  "trailer with a NUL": chunked(`0\r\nX: \x00\r\n\r\n${SMUGGLED}`),
  "trailers over 16 KiB": chunked(`0\r\nX: ${LONG}\r\n\r\n${SMUGGLED}`),
  // Fields.
  "space before a colon": post(["Content-Length : 5"], `aaaaa${SMUGGLED}`),
  "tab before a colon": post(["Content-Length\t: 5"], `aaaaa${SMUGGLED}`),
  "space before the first name": `GET / HTTP/1.1\r\n Host: a\r\n\r\n${SMUGGLED}`,
  "folded field": post(["X: a", " b", "Content-Length: 0"], SMUGGLED),
  "field folded with a tab": post(["X: a", "\tTransfer-Encoding: chunked"], `0\r\n\r\n${SMUGGLED}`),
  "length folded": post(["Content-Length:", " 5"], `aaaaa${SMUGGLED}`),
  "field without a colon": post(["Content-Length 5"], `aaaaa${SMUGGLED}`),
  "field without a name": post([": 5"], SMUGGLED),
  "name with a NUL": post(["Content\x00-Length: 5"], `aaaaa${SMUGGLED}`),
  "name with a slash": post(["Content/Length: 5"], SMUGGLED),
  "name in brackets": post(["[Content-Length]: 5"], SMUGGLED),
  "name with a high byte": post(["Content-Length\xa0: 5"], `aaaaa${SMUGGLED}`),
  "value with a NUL": post(["X: a\x00b"], SMUGGLED),
  "value with a bare CR": post(["X: a\rContent-Length: 5"], `aaaaa${SMUGGLED}`),
  "value with a bare LF": post(["X: a\nContent-Length: 5"], `aaaaa${SMUGGLED}`),
  "value with a control character": post(["X: a\x01b"], SMUGGLED),
  "value with DEL": post(["X: a\x7fb"], SMUGGLED),
  "lines ended by bare LFs": `GET /smuggled HTTP/1.1\nHost: a\n\n`,
  "head ended by a bare LF": `GET /smuggled HTTP/1.1\r\nHost: a\r\n\n`,
  "lines ended by bare CRs": `GET /smuggled HTTP/1.1\rHost: a\r\r`,
  "line ended by CR CR LF": `GET /smuggled HTTP/1.1\r\nHost: a\r\r\n\r\n`,
  // Hosts.
  "no host": get("GET /smuggled HTTP/1.1"),
  "two hosts": get("GET /smuggled HTTP/1.1", "Host: a", "Host: b"),
  "two equal hosts": get("GET /smuggled HTTP/1.1", "Host: a", "host: a"),
  "empty host": get("GET /smuggled HTTP/1.1", "Host:"),
  "list of hosts": get("GET /smuggled HTTP/1.1", "Host: a, b"),
  "host with user": get("GET /smuggled HTTP/1.1", "Host: u@a"),
  "host with a path": get("GET /smuggled HTTP/1.1", "Host: a/b"),
  "host with a space": get("GET /smuggled HTTP/1.1", "Host: a b"),
  "host with a port that is none": get("GET /smuggled HTTP/1.1", "Host: a:b"),
  "host with a port beyond 65535": get("GET /smuggled HTTP/1.1", "Host: a:65536"),
  "another host in the target": get("GET http://b/smuggled HTTP/1.1", "Host: a"),
  "another port in the target": get("GET http://a:81/smuggled HTTP/1.1", "Host: a"),
  "user in the target": get("GET http://u@a/smuggled HTTP/1.1", "Host: a"),
  "absolute target without a host field": get("GET http://a/smuggled HTTP/1.1"),
  // Request lines.
  "version 0.9": "GET /smuggled\r\n\r\n",
  "version 2.0": get("GET /smuggled HTTP/2.0", "Host: a"),
  "version 1.2": get("GET /smuggled HTTP/1.2", "Host: a"),
  "version in lower case": get("GET /smuggled http/1.1", "Host: a"),
  "version with more digits": get("GET /smuggled HTTP/1.10", "Host: a"),
  "target after a tab": get("GET\t/smuggled HTTP/1.1", "Host: a"),
  "words after the version": get("GET /smuggled HTTP/1.1 now", "Host: a"),
  "target with a space": get("GET /smug gled HTTP/1.1", "Host: a"),
  "target with a NUL": get("GET /smug\x00gled HTTP/1.1", "Host: a"),
  "target with a bare CR": get("GET /smug\rgled HTTP/1.1", "Host: a"),
  "preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "hello of TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  "method in lower case": get("get /smuggled HTTP/1.1", "Host: a"),
  tunnel: `CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n${SMUGGLED}`,
};

const REFUSALS = [400, 413, 431, 501, 505];

test("F20: a message that could be read in two ways gets one refusal, nothing of it is run, and the connection closes", async (t) => {
  const ran: string[] = [];
  const { port } = await serve(t, [
    route("GET", "/smuggled", async () => {
      ran.push("smuggled");
      return { status: 200 };
    }),
    route("POST", "/target", async (_ctx, request) => {
      const body = await request.readBody();
      ran.push(`target ${body.length}`);
      return { status: 200 };
    }),
  ]);
  for (const [name, bytes] of Object.entries(CORPUS)) {
    const { responses, rest, end } = await rawRequest(port, bytes);
    const [first] = responses;
    assert.equal(responses.length, 1, `${name}: ${responses.length} responses`);
    assert.ok(first !== undefined && REFUSALS.includes(first.status), `${name}: ${first?.status}`);
    assert.equal(first.headers.connection, "close", name);
    assert.equal(first.headers["content-type"], "application/problem+json; charset=utf-8", name);
    assert.deepEqual([rest.length, end], [0, "closed"], name);
    assert.deepEqual(ran, [], name);
  }
});
