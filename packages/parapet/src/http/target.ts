import type { IncomingMessage } from "node:http";
import { AppError } from "../errors/index.ts";
import { doubtful } from "./head.ts";
import { Refusal } from "./refusal.ts";

/** Where a request goes: its path and query as sent. */
export interface Target {
  readonly path: string;
  readonly query: string;
}

// RFC 9110, 4.1 asks for at least 8000 octets.
const MAX_TARGET_BYTES = 8192;
// Node lets bytes above 0x7f through too.
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;
// Anything that a second decoder, a file system or a proxy could read as another path.
const AMBIGUOUS_PATH = /%(?:2f|5c|00)|\\|\/\/|\/(?:\.|%2e){1,2}(?:\/|$)/i;

/** Finds the target of a request whose head was checked; `*` is only for OPTIONS. Throws `invalid` (400, 414). */
export function toTarget({ url = "", method, headers }: IncomingMessage): Target {
  if (url.length > MAX_TARGET_BYTES) throw tooLongTarget();
  if (url === "*" && method === "OPTIONS") return { path: "*", query: "" };
  return split(url.startsWith("/") ? url : fromAbsoluteForm(url, headers.host));
}

export function tooLongTarget(): Refusal {
  return new Refusal(414, `the request target may have at most ${MAX_TARGET_BYTES} bytes`);
}

/** RFC 9112, 3.2.2: a server must accept the absolute form; its authority must be the one of Host. */
function fromAbsoluteForm(url: string, host: string | undefined): string {
  const match = /^https?:\/\/([^/?#]+)([/?].*)?$/i.exec(url);
  if (match === null) throw badTarget("must be a path that begins with a slash");
  const [, authority = "", rest = "/"] = match;
  if (authority.toLowerCase() !== host?.toLowerCase()) {
    throw doubtful({ in: "header", field: "host", rule: "syntax", detail: "must agree with the request target" });
  }
  return rest.startsWith("/") ? rest : `/${rest}`;
}

function split(url: string): Target {
  if (!VISIBLE_ASCII.test(url) || url.includes("#"))
    throw badTarget("must be percent-encoded ASCII without a fragment");
  const mark = url.indexOf("?");
  const path = mark === -1 ? url : url.slice(0, mark);
  if (AMBIGUOUS_PATH.test(path)) throw badTarget("must be plain: no dot segments, no doubled or encoded slashes");
  if (path.includes("%") && !isCleanText(path)) throw badTarget("must decode to UTF-8 text with no control characters");
  return { path, query: mark === -1 ? "" : url.slice(mark + 1) };
}

function isCleanText(path: string): boolean {
  try {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
    return !/[\u0000-\u001f\u007f]/.test(decodeURIComponent(path));
  } catch {
    return false;
  }
}

function badTarget(detail: string): AppError {
  return new AppError("invalid", "the request is malformed", {
    violations: [{ in: "path", field: "", rule: "syntax", detail }],
  });
}
