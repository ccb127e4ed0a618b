import { AppError } from "../errors/index.ts";

const MAX_LENGTH = 255;
// RFC 8941, 3.3.3, a string; and what many clients send, a bare word.
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])+)"$/;
const BARE = /^[\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]+$/;

/**
 * The key of an `Idempotency-Key` header (draft-ietf-httpapi-idempotency-key-header-07), 1 to 255 characters, or undefined
 * without one. Throws `invalid`.
 */
export function parseIdempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const text = String(header);
  const key = QUOTED.exec(text)?.[1]?.replace(/\\(.)/g, "$1") ?? BARE.exec(text)?.[0] ?? "";
  if (key !== "" && key.length <= MAX_LENGTH) return key;
  const detail = `must be one key of 1 to ${MAX_LENGTH} visible characters, for example "8e03978e-40d5-43dd-bc93-6894a57f9324"`;
  throw new AppError("invalid", "a header breaks a rule", {
    violations: [{ in: "header", field: "idempotency-key", rule: "syntax", detail }],
  });
}
