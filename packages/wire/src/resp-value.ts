import { AppError } from "parapet/errors";

/** A value of RESP2 or RESP3 (the Redis serialization protocol), under its name in the specification. */
export type RespValue =
  | { readonly kind: "string" | "error"; readonly value: string }
  | { readonly kind: "integer" | "big_number"; readonly value: bigint }
  | { readonly kind: "double"; readonly value: number }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "null"; readonly value: null }
  /** `null` is RESP2's way to say that there is nothing. */
  | { readonly kind: "bulk"; readonly value: Buffer | null }
  | { readonly kind: "bulk_error"; readonly value: Buffer }
  /** `format` has three letters: `txt`, `mkd`. */
  | { readonly kind: "verbatim"; readonly format: string; readonly value: Buffer }
  | { readonly kind: "array"; readonly value: readonly RespValue[] | null }
  | { readonly kind: "set" | "push"; readonly value: readonly RespValue[] }
  | { readonly kind: "map"; readonly value: readonly RespPair[] }
  /** A value that something is said about. */
  | { readonly kind: "attributed"; readonly attributes: readonly RespPair[]; readonly value: RespValue };

export type RespPair = readonly [key: RespValue, value: RespValue];

/** What a value says when it is text: a string, an error, a bulk or a verbatim string; else `undefined`. */
export function respText(value: RespValue | undefined): string | undefined {
  switch (value?.kind) {
    case "string":
    case "error":
      return value.value;
    case "bulk":
    case "bulk_error":
    case "verbatim":
      return value.value?.toString();
    case "attributed":
      return respText(value.value);
    default:
      return undefined;
  }
}

/** A command as clients send it: an array of bulk strings. */
export function encodeCommand(name: string, ...args: readonly (string | Buffer)[]): Buffer {
  return encodeResp({
    kind: "array",
    value: [name, ...args].map((arg) => ({ kind: "bulk", value: Buffer.from(arg) })),
  });
}

/** The bytes of a value. Throws `invalid` for a string or an error with a line's end in it. */
export function encodeResp(value: RespValue): Buffer {
  switch (value.kind) {
    case "string":
      return line("+", oneLine(value.value));
    case "error":
      return line("-", oneLine(value.value));
    case "integer":
      return line(":", value.value);
    case "big_number":
      return line("(", value.value);
    case "double":
      return line(",", doubleText(value.value));
    case "boolean":
      return line("#", value.value ? "t" : "f");
    case "null":
      return line("_", "");
    case "bulk":
      return value.value === null ? line("$", -1) : bulk("$", value.value);
    case "bulk_error":
      return bulk("!", value.value);
    case "verbatim":
      return bulk("=", Buffer.concat([Buffer.from(`${value.format}:`), value.value]));
    case "array":
      return value.value === null ? line("*", -1) : items("*", value.value);
    case "set":
      return items("~", value.value);
    case "push":
      return items(">", value.value);
    case "map":
      return pairs("%", value.value);
    case "attributed":
      return Buffer.concat([pairs("|", value.attributes), encodeResp(value.value)]);
  }
}

const END = Buffer.from("\r\n");

function line(type: string, content: string | number | bigint): Buffer {
  return Buffer.from(`${type}${content}\r\n`);
}

function bulk(type: string, content: Buffer): Buffer {
  return Buffer.concat([line(type, content.length), content, END]);
}

function items(type: string, content: readonly RespValue[]): Buffer {
  return Buffer.concat([line(type, content.length), ...content.map(encodeResp)]);
}

function pairs(type: string, content: readonly RespPair[]): Buffer {
  return Buffer.concat([line(type, content.length), ...content.flat().map(encodeResp)]);
}

function oneLine(text: string): string {
  if (/[\r\n]/.test(text)) throw new AppError("invalid", "a simple string has one line");
  return text;
}

function doubleText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return Object.is(value, -0) ? "-0" : String(value);
}
