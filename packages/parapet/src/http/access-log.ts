import { type Logger, prepareLine } from "../log/index.ts";

/** What an access line tells of one exchange. */
export interface Access {
  readonly requestId: string;
  readonly method: string;
  /** The route's template. */
  readonly endpoint: string;
  /** The path as sent, without the query, which may hold what nobody should read. */
  readonly path: string;
  readonly status: number;
  readonly seconds: number;
  /** The answer did not reach the client whole, since it went away or did not take it. */
  readonly isCut: boolean;
}

/** Writes one line for each exchange when it is over: `info`, or `debug` for the quiet ones. */
export interface AccessLog {
  write(access: Access): void;
  writeQuiet(access: Access): void;
}

/** Prepares the access lines of a logger. */
export function createAccessLog(log: Logger): AccessLog {
  const info = prepareLine(log, "info", "request");
  const debug = prepareLine(log, "debug", "request");
  return {
    write: (access) => {
      if (log.isEnabled("info")) info(toTail(access));
    },
    writeQuiet: (access) => {
      if (log.isEnabled("debug")) debug(toTail(access));
    },
  };
}

/** Written by hand, since this is the one line that each request costs. Ids and methods hold nothing that JSON escapes. */
function toTail({ requestId, method, endpoint, path, status, seconds, isCut }: Access): string {
  const durationMs = Math.round(seconds * 1e6) / 1e3;
  return (
    `"request_id":"${requestId}","method":"${method}","endpoint":${JSON.stringify(endpoint)},"path":${JSON.stringify(path)},` +
    `"status":${status},"duration_ms":${durationMs}${isCut ? ',"client_closed":true' : ""}`
  );
}
