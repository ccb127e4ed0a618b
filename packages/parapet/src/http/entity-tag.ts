import { AppError } from "../errors/index.ts";

/** The strong entity tag of a version, RFC 9110, 8.8.3: `"7"`. */
export function toEntityTag(version: number): string {
  return `"${version}"`;
}

// RFC 9110, 8.8.3: etagc is any visible character but the quote, and obs-text.
const LIST = /^\s*(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"(?:\s*,\s*(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")*\s*$/;
const TAG = /(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"/g;
const VERSION = /^(?:0|[1-9]\d{0,15})$/;

/**
 * The versions that an `If-Match` header accepts: undefined when there is no header or it is `*`. A weak tag and one that
 * was never given out match nothing (RFC 9110, 13.1.1: strong comparison), so the list may be empty. Throws `invalid`.
 */
export function toExpectedVersions(header: string | undefined): readonly number[] | undefined {
  if (header === undefined || header.trim() === "*") return undefined;
  return tags(header, "if-match").flatMap(({ weak, opaque }) =>
    !weak && VERSION.test(opaque) ? [Number(opaque)] : [],
  );
}

/** Tells whether an `If-None-Match` header names this version (weak comparison, RFC 9110, 13.1.2). Throws `invalid`. */
export function namesVersion(header: string, version: number): boolean {
  if (header.trim() === "*") return true;
  return tags(header, "if-none-match").some(({ opaque }) => opaque === String(version));
}

function tags(header: string, name: string): { weak: boolean; opaque: string }[] {
  if (!LIST.test(header)) {
    throw new AppError("invalid", "a header breaks a rule", {
      violations: [{ in: "header", field: name, rule: "syntax", detail: 'must be * or entity tags, for example "3"' }],
    });
  }
  return Array.from(header.matchAll(TAG), ([, weak, opaque = ""]) => ({ weak: weak !== undefined, opaque }));
}
