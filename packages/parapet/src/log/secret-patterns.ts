import { MASK } from "./secrets.ts";

interface SecretPattern {
  /** A text without this holds nothing of the kind: far cheaper to look for than the pattern. */
  readonly hint: string;
  readonly pattern: RegExp;
  readonly replacement: string;
}

/** Secrets that are known by their shape, whoever they belong to. */
const PATTERNS: readonly SecretPattern[] = [
  // A JSON Web Token: three base64url parts, the first of which starts with `{"`. Tried once a word, since trying it
  // within words takes quadratic time.
  { hint: "eyJ", pattern: /(?<![\w-])eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*/g, replacement: MASK },
  { hint: "://", pattern: /:\/\/([^\s/:@"\\]*):[^\s/"]+@/g, replacement: `://$1:${MASK}@` },
  { hint: "earer", pattern: /\b(bearer)[\s:]+[\w.~+/=-]{6,}/gi, replacement: `$1 ${MASK}` },
  { hint: "Basic ", pattern: /\bBasic [A-Za-z0-9+/_-]{8,}=*/g, replacement: `Basic ${MASK}` },
  {
    hint: "-----BEGIN",
    pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
    replacement: MASK,
  },
  { hint: "AKIA", pattern: /\bAKIA[A-Z0-9]{16}\b/g, replacement: MASK },
  { hint: "ASIA", pattern: /\bASIA[A-Z0-9]{16}\b/g, replacement: MASK },
];

/** Tells whether a text may hold a secret of a known shape; cheap, and never wrong when it says no. */
export function mayHoldPattern(text: string): boolean {
  return PATTERNS.some(({ hint, pattern }) => text.includes(hint) && text.search(pattern) >= 0);
}

/** Masks JSON Web Tokens, passwords in URLs, bearer and basic credentials, private keys, AWS key ids. */
export function maskPatterns(text: string): string {
  let masked = text;
  for (const { hint, pattern, replacement } of PATTERNS) {
    if (masked.includes(hint)) masked = masked.replace(pattern, replacement);
  }
  return masked;
}
