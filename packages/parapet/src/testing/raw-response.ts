/** A response as it stood on the wire. */
export interface RawResponse {
  readonly status: number;
  /** By lower-case name; fields that came several times are joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface RawResponses {
  /** All complete responses in order, interim ones (100 to 199) included. */
  readonly responses: readonly RawResponse[];
  /** What follows them: an incomplete response, or bytes that are none. */
  readonly rest: Buffer;
}

interface Parsed<Value> {
  readonly value: Value;
  /** The offset behind it. */
  readonly end: number;
}

const STATUS_LINE = /^HTTP\/1\.[01] ([1-5]\d\d)(?: [^\r\n]*)?$/;

/** Splits what a server sent on one connection. `methods` are those of the requests it answers, GET where none is given. */
export function splitResponses(bytes: Buffer, methods: readonly string[] = []): RawResponses {
  const responses: RawResponse[] = [];
  let answered = 0;
  let at = 0;
  for (;;) {
    const next = responseAt(bytes, at, methods[answered] ?? "GET");
    if (next === undefined) return { responses, rest: bytes.subarray(at) };
    responses.push(next.value);
    at = next.end;
    if (next.value.status >= 200) answered++;
  }
}

function responseAt(bytes: Buffer, start: number, method: string): Parsed<RawResponse> | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n", start);
  if (headEnd === -1) return undefined;
  const [statusLine = "", ...fields] = bytes.toString("latin1", start, headEnd).split("\r\n");
  const status = Number(STATUS_LINE.exec(statusLine)?.[1]);
  if (Number.isNaN(status)) return undefined;
  const headers = headersOf(fields);
  const isBare = method === "HEAD" || status < 200 || status === 204 || status === 304;
  const body = isBare ? { value: Buffer.alloc(0), end: headEnd + 4 } : bodyAt(bytes, headEnd + 4, headers);
  return body && { value: { status, headers, body: body.value }, end: body.end };
}

function headersOf(fields: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const field of fields) {
    const colon = field.indexOf(":");
    const name = field.slice(0, colon).toLowerCase();
    const value = field.slice(colon + 1).trim();
    const before = headers[name];
    headers[name] = before === undefined ? value : `${before}, ${value}`;
  }
  return headers;
}

function bodyAt(bytes: Buffer, start: number, headers: Readonly<Record<string, string>>): Parsed<Buffer> | undefined {
  if (headers["transfer-encoding"] === "chunked") return chunksAt(bytes, start);
  const length = headers["content-length"];
  // Without a length the body goes on to the end of the connection.
  const end = length === undefined ? bytes.length : start + Number(length);
  return end <= bytes.length ? { value: bytes.subarray(start, end), end } : undefined;
}

function chunksAt(bytes: Buffer, start: number): Parsed<Buffer> | undefined {
  const chunks: Buffer[] = [];
  let at = start;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (lineEnd === -1 || Number.isNaN(size) || next > bytes.length) return undefined;
    if (size === 0) return { value: Buffer.concat(chunks), end: next };
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = next;
  }
}
