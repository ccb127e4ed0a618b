import { AppError } from "parapet/errors";
import { checkMessageLength } from "./message-bound.ts";
import { LINE_END, respLength } from "./resp-line.ts";

// The shortest value is an empty line with its type.
const MIN_VALUE_BYTES = 3;

/** What follows a line: nothing, so many bytes, or so many values. */
type Shape = "line" | "bulk" | "items" | "pairs" | "attributes";

const SHAPES: Readonly<Record<string, Shape>> = {
  "+": "line",
  "-": "line",
  ":": "line",
  "(": "line",
  ",": "line",
  "#": "line",
  _: "line",
  $: "bulk",
  "!": "bulk",
  "=": "bulk",
  "*": "items",
  "~": "items",
  ">": "items",
  "%": "pairs",
  "|": "attributes",
};

/**
 * Finds where values end. It looks at every byte once, however the bytes arrive, and holds no more of a value than how
 * many values are missing to its end.
 */
export class RespScanner {
  readonly #maxBytes: number;
  #at = 0;
  /** Up to where no line ends. */
  #searched = 0;
  #missing = 1;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * The length of the first value of these bytes, `undefined` while it is not whole: then the next call must be given the
   * same bytes and more. Throws `invalid`.
   */
  measure(bytes: Buffer): number | undefined {
    while (this.#missing > 0) {
      if (!this.#step(bytes)) return undefined;
    }
    const length = this.#at;
    this.#at = 0;
    this.#searched = 0;
    this.#missing = 1;
    return length;
  }

  /** Goes over one line, and over the bytes that belong to it. */
  #step(bytes: Buffer): boolean {
    if (this.#at >= bytes.length) return false;
    const shape = shapeOf(bytes, this.#at);
    const lineEnd = this.#findLineEnd(bytes);
    if (lineEnd === undefined) return false;
    const next = lineEnd + LINE_END.length;
    if (shape === "line") return this.#advance(next, 0);
    const length = respLength(bytes, this.#at, lineEnd);
    if (shape === "bulk") return this.#bulk(bytes, next, length);
    return this.#advance(next, valuesIn(shape, length));
  }

  #bulk(bytes: Buffer, start: number, length: number): boolean {
    if (length < 0) return this.#advance(start, 0);
    const end = start + length;
    this.#bound(end + LINE_END.length);
    if (bytes.length < end + LINE_END.length) return false;
    if (bytes.toString("latin1", end, end + LINE_END.length) !== LINE_END) {
      throw new AppError("invalid", "a bulk string is longer than its length");
    }
    return this.#advance(end + LINE_END.length, 0);
  }

  #advance(to: number, values: number): true {
    this.#at = to;
    this.#searched = to;
    this.#missing += values - 1;
    this.#bound(to + this.#missing * MIN_VALUE_BYTES);
    return true;
  }

  #findLineEnd(bytes: Buffer): number | undefined {
    const lineEnd = bytes.indexOf(LINE_END, this.#searched, "latin1");
    this.#bound(lineEnd < 0 ? bytes.length : lineEnd + LINE_END.length);
    // Its first half may be there already.
    this.#searched = lineEnd < 0 ? Math.max(this.#at, bytes.length - 1) : this.#at;
    return lineEnd < 0 ? undefined : lineEnd;
  }

  #bound(bytes: number): void {
    checkMessageLength(bytes, this.#maxBytes);
  }
}

function shapeOf(bytes: Buffer, at: number): Shape {
  const shape = SHAPES[bytes.toString("latin1", at, at + 1)];
  if (shape === undefined) throw new AppError("invalid", "a value begins with a byte that means nothing");
  return shape;
}

function valuesIn(shape: "items" | "pairs" | "attributes", length: number): number {
  if (shape === "items") return Math.max(length, 0);
  // Attributes are followed by the value that they belong to.
  return shape === "pairs" ? 2 * length : 2 * length + 1;
}
