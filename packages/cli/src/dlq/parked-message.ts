import { createHash } from "node:crypto";
import type { ParkedDelivery } from "parapet/messaging";

/** How much of a hash names a message without an id. */
const HASH_DIGITS = 12;
/** Controls, and what reorders or ends lines: anybody may have sent it, and a terminal obeys. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** What a parked message is called here: its id, or by what it says when it has none. */
export function nameOf({ message: { id, data } }: ParkedDelivery): string {
  if (id !== undefined) return printable(id);
  return `sha256:${createHash("sha256").update(data).digest("hex").slice(0, HASH_DIGITS)}`;
}

/** A text as it may be shown, on one line. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`);
}

/** All that is known of a parked message but what it says. */
export function attributesOf(parked: ParkedDelivery) {
  const { message, failures, error, failedAt } = parked;
  const { type, key, source, time, headers } = message;
  return { id: nameOf(parked), type, key, source, time, failures, error, failedAt, headers };
}

/** What it says: JSON as it is, any other text as a text, and bytes in base64. */
export function contentOf({ message: { data } }: ParkedDelivery): object {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(data);
    return jsonOf(text) ?? { text };
  } catch {
    return { base64: data.toString("base64") };
  }
}

function jsonOf(text: string): object | undefined {
  try {
    return { data: JSON.parse(text) };
  } catch {
    return undefined;
  }
}
