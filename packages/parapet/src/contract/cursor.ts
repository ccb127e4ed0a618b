import { AppError } from "../errors/index.ts";

// Another meaning of the bytes gets another number, so that cursors from before are refused and not misread.
const VERSION = 1;

/** A place in a list that is in the order of its ids, UUIDs, just after the one with this id; opaque to clients. */
export function toCursor(id: string): string {
  return Buffer.from([VERSION, ...Buffer.from(id.replaceAll("-", ""), "hex")]).toString("base64url");
}

/** The id that a `cursor` parameter stands for. Throws `invalid` for everything that `toCursor` did not make. */
export function parseCursor(cursor: string): string {
  const hex = Buffer.from(cursor, "base64url").subarray(1).toString("hex");
  const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  // The decoder forgives almost anything, so what counts is that the id encodes to this very cursor.
  if (id === hex || toCursor(id) !== cursor) throw invalidCursor();
  return id;
}

function invalidCursor(): AppError {
  return new AppError("invalid", "the cursor is not one of ours", {
    violations: [{ in: "query", field: "cursor", rule: "cursor", detail: "must be the nextCursor of an earlier page" }],
  });
}
