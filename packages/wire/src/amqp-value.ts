import { AppError } from "parapet/errors";
import type { ByteReader } from "./byte-reader.ts";

/** A value of a table. Whole numbers that no `number` holds are a `bigint`. */
export type AmqpValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | Date
  | Buffer
  | readonly AmqpValue[]
  | { readonly [name: string]: AmqpValue };

/** A field table: names of at most 255 bytes, and their values. (AMQP 0-9-1, 4.2.5.5.) */
export type AmqpTable = { readonly [name: string]: AmqpValue };

/** Deeper than this nobody nests on purpose. */
const MAX_DEPTH = 32;
const MAX_INT32 = 2 ** 31;

/** Reads a value after its letter. (The letters that RabbitMQ and its clients use: AMQP 0-9-1 errata, "Table field types".) */
type ReadValue = (reader: ByteReader, depth: number) => AmqpValue;

const READERS: Readonly<Record<string, ReadValue>> = {
  t: (reader) => reader.uint8() !== 0,
  b: (reader) => reader.bytes(1).readInt8(),
  B: (reader) => reader.uint8(),
  s: (reader) => reader.bytes(2).readInt16BE(),
  u: (reader) => reader.uint16(),
  I: (reader) => reader.int32(),
  i: (reader) => reader.uint32(),
  l: (reader) => toNumber(reader.bytes(8).readBigInt64BE()),
  L: (reader) => toNumber(reader.bytes(8).readBigInt64BE()),
  f: (reader) => reader.bytes(4).readFloatBE(),
  d: (reader) => reader.bytes(8).readDoubleBE(),
  D: (reader) => readDecimal(reader),
  S: (reader) => readLongText(reader),
  x: (reader) => Buffer.from(reader.bytes(reader.uint32())),
  T: (reader) => new Date(Number(reader.uint64()) * 1000),
  A: (reader, depth) => readArray(reader, depth + 1),
  F: (reader, depth) => readTable(reader, depth + 1),
  V: () => null,
};

/** Reads a table, its length first. Throws `invalid`. */
export function readTable(reader: ByteReader, depth = 0): AmqpTable {
  const entries: [string, AmqpValue][] = [];
  const fields = nested(reader, depth);
  while (!fields.isAtEnd) entries.push([readShortText(fields), readValue(fields, depth)]);
  // Not by assignment, which would take the name of a prototype for one.
  return Object.fromEntries(entries);
}

export function readShortText(reader: ByteReader): string {
  return reader.bytes(reader.uint8()).toString("utf8");
}

export function readLongText(reader: ByteReader): string {
  return reader.bytes(reader.uint32()).toString("utf8");
}

function readArray(reader: ByteReader, depth: number): AmqpValue[] {
  const values: AmqpValue[] = [];
  const items = nested(reader, depth);
  while (!items.isAtEnd) values.push(readValue(items, depth));
  return values;
}

function readValue(reader: ByteReader, depth: number): AmqpValue {
  const read = READERS[reader.letter()];
  if (read === undefined) throw new AppError("invalid", "a value in a table has a type that means nothing");
  return read(reader, depth);
}

function nested(reader: ByteReader, depth: number): ByteReader {
  if (depth > MAX_DEPTH) throw new AppError("invalid", "a table is nested too deep");
  return reader.part(reader.uint32());
}

function readDecimal(reader: ByteReader): number {
  const places = reader.uint8();
  return reader.uint32() / 10 ** places;
}

function toNumber(whole: bigint): number | bigint {
  const number = Number(whole);
  return Number.isSafeInteger(number) ? number : whole;
}

/** A table as it travels, its length first. Throws `invalid` for a name of more than 255 bytes. */
export function writeTable(table: AmqpTable): Buffer {
  const fields = Object.entries(table).flatMap(([name, value]) => [writeShortText(name), writeValue(value)]);
  return withLength(Buffer.concat(fields));
}

/** Throws `invalid` for more than 255 bytes. */
export function writeShortText(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length > 255) throw new AppError("invalid", "a short text is longer than 255 bytes");
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

export function writeLongText(text: string): Buffer {
  return withLength(Buffer.from(text));
}

function withLength(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function writeValue(value: AmqpValue): Buffer {
  switch (typeof value) {
    case "string":
      return typed("S", writeLongText(value));
    case "boolean":
      return typed("t", Buffer.from([value ? 1 : 0]));
    case "bigint":
      return typed("l", int64(value));
    case "number":
      return writeNumber(value);
    default:
      return writeObject(value);
  }
}

function writeObject(value: Exclude<AmqpValue, string | number | boolean | bigint>): Buffer {
  if (value === null) return typed("V", Buffer.alloc(0));
  if (Buffer.isBuffer(value)) return typed("x", withLength(value));
  if (value instanceof Date) return typed("T", int64(BigInt(Math.floor(value.getTime() / 1000))));
  if (isArray(value)) return typed("A", withLength(Buffer.concat(value.map(writeValue))));
  return typed("F", writeTable(value));
}

function isArray(value: AmqpTable | readonly AmqpValue[]): value is readonly AmqpValue[] {
  return Array.isArray(value);
}

function writeNumber(value: number): Buffer {
  if (Number.isInteger(value) && value >= -MAX_INT32 && value < MAX_INT32) {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return typed("I", bytes);
  }
  if (Number.isSafeInteger(value)) return typed("l", int64(BigInt(value)));
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return typed("d", bytes);
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

function typed(letter: string, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(letter), bytes]);
}
