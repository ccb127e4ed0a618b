import { AppError } from "parapet/errors";
import { LINE_END, respLength } from "./resp-line.ts";
import type { RespPair, RespValue } from "./resp-value.ts";

// Redis itself nests a handful.
const MAX_DEPTH = 128;

const INTEGER = /^[+-]?\d{1,19}$/;
// Reading a number takes longer than in proportion to its digits.
const BIG_NUMBER = /^[+-]?\d{1,4096}$/;
const DOUBLE = /^[+-]?(\d+(\.\d*)?([eE][+-]?\d+)?|inf|nan)$/;
const FORMAT_LENGTH = 3;

/** The value that these bytes are as a whole, of which the scanner found the end. Throws `invalid`. */
export function decodeResp(bytes: Buffer): RespValue {
  return new RespDecoder(bytes).value(0);
}

class RespDecoder {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  value(depth: number): RespValue {
    if (depth > MAX_DEPTH) throw new AppError("invalid", "values are nested too deeply");
    const type = this.#bytes.toString("latin1", this.#at, this.#at + 1);
    return this.#scalar(type) ?? this.#text(type) ?? this.#aggregate(type, depth);
  }

  #scalar(type: string): RespValue | undefined {
    switch (type) {
      case "+":
        return { kind: "string", value: this.#line() };
      case "-":
        return { kind: "error", value: this.#line() };
      case ":":
        return { kind: "integer", value: toInteger(this.#line()) };
      case "(":
        return { kind: "big_number", value: BigInt(matching(BIG_NUMBER, this.#line())) };
      case ",":
        return { kind: "double", value: toDouble(this.#line()) };
      case "#":
        return { kind: "boolean", value: matching(/^[tf]$/, this.#line()) === "t" };
      case "_":
        matching(/^$/, this.#line());
        return { kind: "null", value: null };
      default:
        return undefined;
    }
  }

  #text(type: string): RespValue | undefined {
    if (type !== "$" && type !== "!" && type !== "=") return undefined;
    const length = this.#length();
    if (length < 0) return { kind: "bulk", value: null };
    const value = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length + LINE_END.length;
    if (type === "=") return verbatim(value);
    return { kind: type === "$" ? "bulk" : "bulk_error", value };
  }

  #aggregate(type: string, depth: number): RespValue {
    const length = this.#length();
    if (length < 0) return { kind: "array", value: null };
    if (type === "%") return { kind: "map", value: this.#pairs(length, depth) };
    if (type === "|") {
      return { kind: "attributed", attributes: this.#pairs(length, depth), value: this.value(depth + 1) };
    }
    const value = Array.from({ length }, () => this.value(depth + 1));
    return { kind: type === "*" ? "array" : type === "~" ? "set" : "push", value };
  }

  #pairs(length: number, depth: number): RespPair[] {
    return Array.from({ length }, (): RespPair => [this.value(depth + 1), this.value(depth + 1)]);
  }

  #line(): string {
    const start = this.#at + 1;
    const end = this.#lineEnd();
    this.#at = end + LINE_END.length;
    const line = this.#bytes.toString("utf8", start, end);
    if (/[\r\n]/.test(line)) throw new AppError("invalid", "a line has another line's end in it");
    return line;
  }

  #length(): number {
    const end = this.#lineEnd();
    const length = respLength(this.#bytes, this.#at, end);
    this.#at = end + LINE_END.length;
    return length;
  }

  #lineEnd(): number {
    return this.#bytes.indexOf(LINE_END, this.#at, "latin1");
  }
}

function matching(pattern: RegExp, line: string): string {
  if (!pattern.test(line)) throw new AppError("invalid", "a line is not what its type says");
  return line;
}

function toInteger(line: string): bigint {
  const value = BigInt(matching(INTEGER, line));
  if (BigInt.asIntN(64, value) !== value) throw new AppError("invalid", "an integer has more than 64 bits");
  return value;
}

function toDouble(line: string): number {
  return Number(matching(DOUBLE, line).replace("inf", "Infinity").replace("nan", "NaN"));
}

function verbatim(content: Buffer): RespValue {
  if (content.length <= FORMAT_LENGTH || content[FORMAT_LENGTH] !== ":".charCodeAt(0)) {
    throw new AppError("invalid", "a verbatim string does not begin with its format");
  }
  const format = content.toString("latin1", 0, FORMAT_LENGTH);
  return { kind: "verbatim", format, value: content.subarray(FORMAT_LENGTH + 1) };
}
