import { type OperationOptions, successStatus } from "../contract/index.ts";
import { AppError } from "../errors/index.ts";
import { namesVersion, toEntityTag } from "./entity-tag.ts";
import { projection } from "./projection.ts";
import type { HttpReply, HttpRequest } from "./route.ts";

/** Makes the answer of what an operation's handler gave. */
export type ReplyWriter = (request: HttpRequest, value: unknown) => HttpReply;

// What has a version may be kept as long as it is asked about; the rest is nobody's to keep.
const ASK_FIRST = "private, no-cache";

type Values = Readonly<Record<string, unknown>>;

/** The writer for an operation's reply, status, `ETag` and `Location`. */
export function replyWriter(options: OperationOptions): ReplyWriter {
  const status = successStatus(options);
  const { reply: schema, version, location } = options;
  if (schema === undefined) return () => ({ status, headers: { "cache-control": "no-store" } });
  const project = projection(schema);
  return (request, value) => {
    const reply = project(value) as Values;
    const body = JSON.stringify(reply);
    if (body === undefined) throw new AppError("internal", "a handler gave no reply");
    const headers: Record<string, string> = { "cache-control": version === undefined ? "no-store" : ASK_FIRST };
    if (version !== undefined) headers.etag = toEntityTag(Number(reply[version]));
    if (location !== undefined) headers.location = fill(location, reply);
    if (version !== undefined && isKnown(request, Number(reply[version]))) return { status: 304, headers };
    headers["content-type"] = "application/json; charset=utf-8";
    return { status, headers, body };
  };
}

/** Tells whether the caller has this version already. */
function isKnown({ method, headers }: HttpRequest, version: number): boolean {
  const header = headers["if-none-match"];
  return header !== undefined && (method === "GET" || method === "HEAD") && namesVersion(header, version);
}

function fill(template: string, values: Values): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(values[name])));
}
