import type { TLocalizedValidationError } from "typebox/error";
import { at } from "./pointer.ts";

// The formats of JSON Schema 2020-12, in words, each with a value that a reader can copy the shape of.
const FORMATS: Readonly<Record<string, string>> = {
  uuid: "a UUID, for example 01932c07-4e2a-7d53-9b1f-6a2f0c8e5d41",
  email: "an email address, for example ada@example.com",
  "date-time": "an RFC 3339 date and time, for example 2026-01-31T12:00:00Z",
  date: "an RFC 3339 date, for example 2026-01-31",
  time: "an RFC 3339 time, for example 12:00:00Z",
  uri: "a URI, for example https://example.com/a",
};

/** Says what the broken rule would accept; the engine's own words where they are good enough. */
export function toDetail(schema: object, error: TLocalizedValidationError): string {
  const meaning = at(schema, `${error.schemaPath.slice(1)}/description`);
  const described = typeof meaning === "string" ? `must be ${meaning}` : undefined;
  switch (error.keyword) {
    case "format":
      return described ?? `must be ${FORMATS[error.params.format] ?? `of the format ${error.params.format}`}`;
    case "pattern":
      return described ?? `must match the pattern ${error.params.pattern}`;
    case "enum":
      return `must be one of ${error.params.allowedValues.map((value) => JSON.stringify(value)).join(", ")}`;
    case "const":
      return `must be ${JSON.stringify(error.params.allowedValue)}`;
    case "minLength":
      return `must have at least ${count(error.params.limit, "character")}`;
    case "maxLength":
      return `must have at most ${count(error.params.limit, "character")}`;
    case "minItems":
      return `must have at least ${count(error.params.limit, "item")}`;
    case "maxItems":
      return `must have at most ${count(error.params.limit, "item")}`;
    case "minProperties":
      return `must have at least ${count(error.params.limit, "field")}`;
    case "maxProperties":
      return `must have at most ${count(error.params.limit, "field")}`;
    case "minimum":
      return `must be at least ${error.params.limit}`;
    case "maximum":
      return `must be at most ${error.params.limit}`;
    case "exclusiveMinimum":
      return `must be above ${error.params.limit}`;
    case "exclusiveMaximum":
      return `must be below ${error.params.limit}`;
    case "type":
      return `must be ${[error.params.type].flat().map(withArticle).join(" or ")}`;
    default:
      return error.message;
  }
}

function count(n: number | bigint, noun: string): string {
  if (Number(n) === 1) return `1 ${noun}`;
  return `${n} ${noun}s`;
}

function withArticle(type: string): string {
  if (type === "null") return type;
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}
