import { crc32 } from "node:zlib";
import { found, missing, type Outcome } from "./outcome.ts";

/** How values of a kind are written and read. */
export interface Codec<T> {
  /** Of the encoding, 0 to 255: what another version wrote is not read. */
  readonly version: number;
  encode(value: T): string;
  decode(text: string): T;
}

/** An outcome as it comes out of Redis, with how long its load took, in milliseconds. */
export interface StoredEntry<T> {
  readonly outcome: Outcome<T>;
  readonly costMs: number;
}

const HEAD = /^([vm])(\d+):/;
const PREFIX_LENGTH = 10;

/** Version and CRC-32 in hexadecimal digits, a letter for found or missing, the cost, and the text. Throws what `encode` throws. */
export function encodeEntry<T>(codec: Codec<T>, { outcome, costMs }: StoredEntry<T>): string {
  const [letter, text] = outcome.kind === "found" ? ["v", codec.encode(outcome.value)] : ["m", outcome.error.message];
  return checked(codec.version, `${letter}${Math.ceil(costMs)}:${text}`);
}

/** Reads what `encodeEntry` wrote; undefined for whatever else it is, and for another version. */
export function decodeEntry<T>(codec: Codec<T>, stored: string): StoredEntry<T> | undefined {
  const rest = stored.slice(PREFIX_LENGTH);
  const [head, letter, cost] = HEAD.exec(rest) ?? [];
  if (head === undefined || stored !== checked(codec.version, rest)) return undefined;
  const text = rest.slice(head.length);
  try {
    return { outcome: letter === "v" ? found(codec.decode(text)) : missing(text), costMs: Number(cost) };
  } catch {
    // Whatever the decoder has against it: it is not a value of ours.
    return undefined;
  }
}

function checked(version: number, rest: string): string {
  return hex(version, 2) + hex(crc32(rest), 8) + rest;
}

function hex(number: number, digits: number): string {
  return number.toString(16).padStart(digits, "0");
}
