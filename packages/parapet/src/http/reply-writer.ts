import { type OperationOptions, successStatus } from "../contract/index.ts";
import { AppError } from "../errors/index.ts";
import { namesVersion, toEntityTag } from "./entity-tag.ts";
import { projection } from "./projection.ts";
import type { HttpReply, HttpRequest } from "./route.ts";

/** Makes the answer of what an operation's handler gave. */
export type ReplyWriter = (request: HttpRequest, value: unknown) => HttpReply;

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
    const headers = { ...cacheHeaders(reply, version), ...(location && { location: fill(location, reply) }) };
    if (version !== undefined && isKnown(request, Number(reply[version]))) return { status: 304, headers };
    return { status, headers: { "content-type": "application/json; charset=utf-8", ...headers }, body };
  };
}

/** What has a version may be kept as long as it is asked about; the rest is nobody's to keep. */
function cacheHeaders(reply: Values, version: string | undefined): Record<string, string> {
  if (version === undefined) return { "cache-control": "no-store" };
  return { "cache-control": "private, no-cache", etag: toEntityTag(Number(reply[version])) };
}

/** Tells whether the caller has this version already. */
function isKnown({ method, headers }: HttpRequest, version: number): boolean {
  const header = headers["if-none-match"];
  return header !== undefined && (method === "GET" || method === "HEAD") && namesVersion(header, version);
}

function fill(template: string, values: Values): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(values[name])));
}
