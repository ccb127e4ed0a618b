import { STATUS_CODES } from "node:http";
import { tooLongHeader, unknownVersion } from "./head.ts";
import { toProblemReply } from "./problem.ts";
import { Refusal } from "./refusal.ts";
import { tooLongTarget } from "./target.ts";

/** What Node's parser and its read timeouts report. */
export interface ParserError extends NodeJS.ErrnoException {
  /** The read in which the parser stopped, and where in it. */
  readonly rawPacket?: Buffer;
  readonly bytesParsed?: number;
}

// RFC 9110, 9.1: a method is a token. What begins with one is an honest request in a method of its own.
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ /;
const MAX_METHOD_BYTES = 32;
const LINE_FEED = 0x0a;

/** The refusal that the client gets for it. The codes are llhttp's and Node's. */
export function toRefusal(error: ParserError): Refusal {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
      // Node counts the target as part of the header.
      return isInRequestLine(error) ? tooLongTarget() : tooLongHeader();
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return new Refusal(413, "the chunk extensions are too long");
    case "HPE_INVALID_METHOD":
      return isInRequestLine(error) ? new Refusal(501, "this method is not known") : malformed();
    case "HPE_INVALID_VERSION":
    case "HPE_PAUSED_H2_UPGRADE":
      return unknownVersion();
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new Refusal(408, "the request did not arrive in time", { code: "timeout" });
    default:
      return malformed();
  }
}

/** A refusal as the bytes of a whole response, for a connection on which no request could be made out. */
export function toRawResponse(refusal: Refusal, requestId: string): string {
  const { status, headers = {}, body = "" } = toProblemReply(refusal, requestId);
  const fields = Object.entries({
    date: new Date().toUTCString(),
    ...headers,
    "x-request-id": requestId,
    "x-content-type-options": "nosniff",
    "content-length": String(Buffer.byteLength(body)),
    connection: "close",
  });
  const head = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${head}\r\n${body}`;
}

function malformed(): Refusal {
  return new Refusal(400, "the request is not well-formed HTTP/1.1");
}

/** Tells whether the parser stopped in a line that begins as a request does. */
function isInRequestLine({ rawPacket = Buffer.alloc(0), bytesParsed = 0 }: ParserError): boolean {
  const start = rawPacket.subarray(0, bytesParsed).lastIndexOf(LINE_FEED) + 1;
  return METHOD.test(rawPacket.toString("latin1", start, start + MAX_METHOD_BYTES + 1));
}
