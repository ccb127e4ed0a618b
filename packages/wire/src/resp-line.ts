import { AppError } from "parapet/errors";

/** What ends every line of RESP. */
export const LINE_END = "\r\n";

const LENGTH = /^(0|[1-9]\d{0,9})$/;
const MAX_LENGTH_DIGITS = 10;

/**
 * The length in the line from `at` to `lineEnd`, of which the first byte is the type; -1 for RESP2's null. Throws `invalid`,
 * also for values of which the length is not known before their end: no Redis sends them.
 */
export function respLength(bytes: Buffer, at: number, lineEnd: number): number {
  const end = Math.min(lineEnd, at + MAX_LENGTH_DIGITS + 2);
  const line = bytes.toString("latin1", at, end);
  if (line === "$-1" || line === "*-1") return -1;
  const length = line.slice(1);
  if (length === "?") throw new AppError("invalid", "streamed values are not supported");
  if (!LENGTH.test(length)) throw new AppError("invalid", "a length is no number");
  return Number(length);
}
