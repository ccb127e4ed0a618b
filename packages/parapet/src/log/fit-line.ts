import { jsonLine } from "./json-line.ts";

/** The most that one line may take, in bytes of UTF-8 with its newline: what log collectors commonly take whole. */
export const MAX_LINE_BYTES = 16_384;

// A UTF-16 code unit takes at most three bytes of UTF-8.
const SURELY_FITS = Math.floor(MAX_LINE_BYTES / 3);
const TEXT_LIMITS = [4096, 1024, 256, 64];
const HEAD = ["time", "level", "msg", "service", "version"];

/** Cuts a line that is too long at its longest texts, then at its fields; it stays valid JSON and says `truncated`. */
export function fitLine(line: string): string {
  return fits(line) ? line : cutLine(line);
}

function fits(line: string): boolean {
  return line.length <= SURELY_FITS || Buffer.byteLength(line) <= MAX_LINE_BYTES;
}

function cutLine(line: string): string {
  const whole: Record<string, unknown> = JSON.parse(line);
  for (const limit of TEXT_LIMITS) {
    const shorter = cutAt(whole, limit);
    if (fits(shorter)) return shorter;
  }
  const head = Object.fromEntries(HEAD.map((key) => [key, whole[key]]));
  return cutAt(head, 1024);
}

function cutAt(line: object, limit: number): string {
  return jsonLine(Object.assign({}, withShortTexts(line, limit), { truncated: true }));
}

function withShortTexts(value: unknown, limit: number): unknown {
  if (typeof value === "string") return value.length > limit ? `${value.slice(0, limit)}...` : value;
  if (Array.isArray(value)) return value.map((item) => withShortTexts(item, limit));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withShortTexts(item, limit)]));
}
