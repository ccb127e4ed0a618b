import { toDateTime } from "../contract/index.ts";
import { AppError } from "../errors/index.ts";
import type { SqlValue } from "./sql.ts";

const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * The values as the driver takes them. Throws `invalid` for what can't be stored: text with a NUL, which PostgreSQL refuses, or
 * with half a surrogate pair, in whose place the driver would put U+FFFD without a word, and dates that are none.
 */
export function toParameters(values: readonly SqlValue[]): readonly SqlValue[] {
  checkStorable(values);
  return values.map((value) => (value instanceof Date ? toInstant(value) : value));
}

/** The driver puts dates together part by part, in the zone of the process: several times as long. It knows other years than these, too. */
function toInstant(date: Date): SqlValue {
  const text = toDateTime(date);
  return text.length === "2026-01-31T12:00:00.000Z".length ? text : date;
}

function checkStorable(values: readonly SqlValue[]): void {
  for (const value of values) {
    if (Array.isArray(value)) checkStorable(value);
    else if (typeof value === "string" && (value.includes("\0") || LONE_SURROGATE.test(value))) {
      throw new AppError("invalid", "text holds a character that cannot be stored");
    } else if (value instanceof Date && Number.isNaN(value.getTime())) {
      throw new AppError("invalid", "a date is not valid");
    }
  }
}
