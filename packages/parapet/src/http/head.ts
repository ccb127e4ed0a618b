import type { IncomingMessage } from "node:http";
import type { Violation } from "../errors/index.ts";
import { Refusal } from "./refusal.ts";

/** The most that a request's first line and header may have, in bytes. Node's default, and what proxies pass on. */
export const MAX_HEADER_BYTES = 16 * 1024;
// nginx's limit of one field: large_client_header_buffers.
const MAX_FIELD_BYTES = 8 * 1024;
// At four bytes a field Node would let thousands through; a hundred is more than any honest client sends.
const MAX_FIELDS = 100;
// A name, an IPv4 or an IPv6 address, and a port.
const HOST = /^(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?$/;
const MAX_PORT = 65_535;

/**
 * Checks of a request's head what Node's parser lets through. Throws `invalid`: 400, 417, 431, 501, 505. Where it is unsure
 * how a request is framed or whom it is for, nothing that follows on the connection can be trusted, so it is closed.
 */
export function assertHead({ rawHeaders, httpVersion, headers }: IncomingMessage): void {
  if (httpVersion !== "1.1" && httpVersion !== "1.0") throw unknownVersion();
  assertHost(countFields(rawHeaders), httpVersion, headers.host);
  const coding = headers["transfer-encoding"];
  if (coding !== undefined) assertCoding(coding, httpVersion);
  if (headers.expect !== undefined) assertExpectation(headers.expect, httpVersion);
}

/** The refusal of a request whose head leaves doubts about what it says and where it ends. The connection closes. */
export function doubtful(violation: Violation): Refusal {
  return new Refusal(400, "the request is malformed", { violations: [violation], headers: { connection: "close" } });
}

export function tooLongHeader(): Refusal {
  return new Refusal(431, `the header may have at most ${MAX_HEADER_BYTES} bytes`);
}

export function unknownVersion(): Refusal {
  return new Refusal(505, "this server speaks HTTP/1.1", { headers: { connection: "close" } });
}

/** Gives the number of Host fields. */
function countFields(rawHeaders: readonly string[]): number {
  if (rawHeaders.length > MAX_FIELDS * 2) throw new Refusal(431, `a request may have at most ${MAX_FIELDS} fields`);
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    const bytes = rawHeaders[at + 1]?.length ?? 0;
    if (bytes > MAX_FIELD_BYTES) throw new Refusal(431, `a field may have at most ${MAX_FIELD_BYTES} bytes`);
    if (name.length === 4 && name.toLowerCase() === "host") hosts += 1;
  }
  return hosts;
}

/** The last one that was valid: nearly all requests have the same. */
let lastHost: string | undefined;

/** RFC 9112, 3.2: one Host and a valid one; 1.0 may do without. */
function assertHost(hosts: number, httpVersion: string, host = ""): void {
  if (hosts === 0 && httpVersion === "1.0") return;
  if (hosts !== 1) throw brokenField("host", "must appear once");
  if (host === lastHost) return;
  const match = HOST.exec(host);
  if (match === null || Number(match[1] ?? 0) > MAX_PORT)
    throw brokenField("host", "must be a host and an optional port");
  lastHost = host;
}

/** RFC 9112, 6.1: no coding but chunked is known here, and a 1.0 message with one has unsure framing. */
function assertCoding(coding: string, httpVersion: string): void {
  if (httpVersion === "1.0") throw brokenField("transfer-encoding", "is not allowed in HTTP/1.0");
  if (coding.toLowerCase() === "chunked") return;
  throw new Refusal(501, "the only transfer coding is chunked", { headers: { connection: "close" } });
}

/** RFC 9110, 10.1.1; 1.0 knows no expectations. */
function assertExpectation(expectation: string, httpVersion: string): void {
  if (httpVersion === "1.0" || expectation.toLowerCase() === "100-continue") return;
  throw new Refusal(417, "the only expectation that can be met is 100-continue");
}

function brokenField(field: string, detail: string): Refusal {
  return doubtful({ in: "header", field, rule: "syntax", detail });
}
