import type { TObject } from "typebox";
import { AppError, type Violation } from "../errors/index.ts";

type Coerce = (text: string) => unknown;

/** Reads the text of a query or of path parameters as the types that a schema declares; what does not fit stays text. */
export class Coercer {
  readonly #scalars = new Map<string, Coerce>();
  readonly #arrays = new Map<string, Coerce>();

  constructor(schema: TObject) {
    for (const [name, property] of Object.entries(schema.properties)) {
      const { type, items } = property as { type?: string; items?: { type?: string } };
      if (type === "array") this.#arrays.set(name, coercion(items?.type));
      else this.#scalars.set(name, coercion(type));
    }
  }

  /** The values of path parameters. */
  ofParams(params: Readonly<Record<string, string | undefined>>): Record<string, unknown> {
    const values: Record<string, unknown> = {};
    for (const [name, coerce] of this.#scalars) values[name] = coerce(params[name] ?? "");
    return values;
  }

  /** The values of a query string. Throws `invalid` on bad encoding and on a parameter that repeats without being an array. */
  ofQuery(query: string): Record<string, unknown> {
    if (query === "") return {};
    // The names are the caller's, and one of them may be `__proto__`.
    const values: Record<string, unknown> = Object.create(null);
    for (const pair of query.split("&")) if (pair !== "") this.#take(values, pair);
    return { ...values };
  }

  #take(values: Record<string, unknown>, pair: string): void {
    const equals = pair.indexOf("=");
    const name = decode(equals === -1 ? pair : pair.slice(0, equals), "");
    const text = decode(equals === -1 ? "" : pair.slice(equals + 1), name);
    const ofItem = this.#arrays.get(name);
    if (ofItem !== undefined) {
      const items = values[name];
      if (Array.isArray(items)) items.push(ofItem(text));
      else values[name] = [ofItem(text)];
      return;
    }
    if (name in values) throw broken(name, "unique", "may be given once");
    values[name] = this.#scalars.get(name)?.(text) ?? text;
  }
}

function coercion(type: string | undefined): Coerce {
  switch (type) {
    case "integer":
    case "number":
      return toNumber;
    case "boolean":
      return (text) => (text === "true" ? true : text === "false" ? false : text);
    default:
      return (text) => text;
  }
}

/** JSON's own grammar of numbers, so that `0x10`, ` 5` and `1e999` stay text and are refused by the schema. */
function toNumber(text: string): number | string {
  if (!/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) return text;
  const value = Number(text);
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value)) ? value : text;
}

function decode(text: string, name: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw broken(name, "encoding", "must be percent-encoded UTF-8");
  }
  if (decoded.includes("\0")) throw broken(name, "characters", "must not contain the character U+0000");
  return decoded;
}

function broken(field: string, rule: string, detail: string): AppError {
  const violation: Violation = { in: "query", field, rule, detail };
  return new AppError("invalid", "the query breaks a rule", { violations: [violation] });
}
