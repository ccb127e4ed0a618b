/** The bytes of PostgreSQL's messages, for tests to send. */

const text = (value: string) => Buffer.from(`${value}\0`);

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** A message with this letter, or without any when it is empty. */
export function typed(type: string, ...fields: readonly Buffer[]): Buffer {
  const body = Buffer.concat(fields);
  return Buffer.concat([Buffer.from(type), int32(4 + body.length), body]);
}

export function startup(parameters: Readonly<Record<string, string>> = { user: "ada" }): Buffer {
  const fields = Object.entries(parameters).flat().map(text);
  return typed("", int32(3 << 16), ...fields, text(""));
}

export const sslRequest = typed("", int32(80_877_103));
export const gssencRequest = typed("", int32(80_877_104));
export const cancel = (processId: number, secretKey: Buffer) =>
  typed("", int32(80_877_102), int32(processId), secretKey);

export const query = (sql: string) => typed("Q", text(sql));
export const parse = (statement: string, sql: string) => typed("P", text(statement), text(sql), int16(0));
export const execute = (portal = "", maxRows = 0) => typed("E", text(portal), int32(maxRows));
export const describe = (letter: "S" | "P", of: string) => typed("D", Buffer.from(letter), text(of));
export const close = (letter: "S" | "P", of: string) => typed("C", Buffer.from(letter), text(of));
export const sync = typed("S");

export function bind(statement: string, values: readonly (Buffer | null)[] = [], portal = ""): Buffer {
  const lengths = values.flatMap((value) => (value === null ? [int32(-1)] : [int32(value.length), value]));
  return typed("B", text(portal), text(statement), int16(1), int16(1), int16(values.length), ...lengths, int16(0));
}

export const parseComplete = typed("1");
export const bindComplete = typed("2");
export const closeComplete = typed("3");
export const noData = typed("n");
export const dataRow = typed("D", int16(0));
export const complete = (tag: string) => typed("C", text(tag));
export const ready = (status = "I") => typed("Z", Buffer.from(status));
export const keyData = (processId: number, secretKey: Buffer) => typed("K", int32(processId), secretKey);
export const parameterStatus = (name: string, value: string) => typed("S", text(name), text(value));

export function failure(fields: Readonly<Record<string, string>>): Buffer {
  const parts = Object.entries(fields).map(([letter, value]) => text(letter + value));
  return typed("E", ...parts, text(""));
}
