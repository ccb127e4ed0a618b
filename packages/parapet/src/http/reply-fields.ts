import type { HttpReply } from "./route.ts";

/** What the server itself says of an answer. */
export interface OwnFields {
  readonly requestId: string;
  /** The cross-origin policy's. */
  readonly cors: Readonly<Record<string, string>>;
  /** The connection ends with this answer. */
  readonly isLast: boolean;
}

// Whatever a reply says of them.
const OWN = new Set(["x-request-id", "x-content-type-options", "content-length", "connection"]);

/** The header of an answer: names and values in turn, which Node takes as they are. */
export function replyFields(reply: HttpReply, { requestId, cors, isLast }: OwnFields): string[] {
  const { status, headers = {}, body = "" } = reply;
  const fields = ["x-request-id", requestId, "x-content-type-options", "nosniff"];
  if (status !== 204 && status !== 304) fields.push("content-length", String(Buffer.byteLength(body)));
  if (isLast) fields.push("connection", "close");
  for (const name in headers) if (!OWN.has(name) && !(name in cors)) fields.push(name, headers[name] ?? "");
  for (const name in cors) fields.push(name, cors[name] ?? "");
  return fields;
}
