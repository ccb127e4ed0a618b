import { AppError } from "../errors/index.ts";
import { jsonText } from "./json-line.ts";
import { isSensitiveKey } from "./sensitive-key.ts";

/** What stands where a secret stood. */
export const MASK = "[masked]";

/** Shorter values are not looked for: they would mask half of every line. */
export const MIN_SECRET_LENGTH = 6;

const MAX_SECRETS = 1000;

const secrets = new Set<string>();
let inText: RegExp | undefined;
let inLine: RegExp | undefined;

/**
 * Keeps a value out of every log line from now on: as it is, URL-encoded and decoded, base64 (also as a part of
 * something encoded), JSON-escaped. A URL's password is registered too, unless it only repeats the user name. Values
 * under 6 characters are ignored. Throws `internal` beyond 1000 values: this is for configuration, not for data.
 */
export function registerSecret(value: string): void {
  const fresh = [value, ...credentialsOf(value)].filter(
    (secret) => secret.length >= MIN_SECRET_LENGTH && !secrets.has(secret),
  );
  if (fresh.length === 0) return;
  if (secrets.size + fresh.length > MAX_SECRETS) throw new AppError("internal", "too many secrets registered");
  for (const secret of fresh) secrets.add(secret);
  const forms = [...secrets].flatMap(formsOf);
  // A text may be JSON, which may hold JSON; and a line is JSON around its texts.
  const inTexts = forms.flatMap((form) => [form, escaped(form), escaped(escaped(form))]);
  inText = anyOf(inTexts, "g");
  inLine = anyOf(inTexts.map(escaped), "");
}

/** Tells whether a serialized line holds a registered secret. */
export function holdsSecret(line: string): boolean {
  return inLine?.test(line) ?? false;
}

/** Masks the registered secrets in a text that is not JSON-escaped. */
export function maskSecrets(text: string): string {
  return inText === undefined ? text : text.replace(inText, MASK);
}

/** The credentials within a URL: its password, and parameters that are named like a secret. */
function credentialsOf(value: string): string[] {
  if (!value.includes("://")) return [];
  const url = URL.canParse(value) ? new URL(value) : undefined;
  // By hand too, since what fails to parse as a URL shows up in errors all the more; an `@` may be in the password.
  const [, user = url?.username, longest = ""] = /:\/\/([^/:@]*):(.*)@/.exec(value) ?? [];
  const parameters = [...(url?.searchParams ?? [])].filter(([name]) => isSensitiveKey(name)).map(([, text]) => text);
  return [url?.password ?? "", longest, longest.split("@")[0] ?? ""]
    .flatMap((password) => [password, urlDecoded(password)])
    .filter((password) => password !== user)
    .concat(parameters);
}

function formsOf(secret: string): string[] {
  const encoded = urlEncoded(secret);
  const lowerCaseHex = encoded.replace(/%../g, (hex) => hex.toLowerCase());
  return [secret, urlDecoded(secret), encoded, lowerCaseHex, ...base64FormsOf(secret)].filter(
    (form) => form.length >= MIN_SECRET_LENGTH,
  );
}

/** What base64 makes of the secret wherever it starts in the encoded bytes, less the characters its neighbours share. */
function base64FormsOf(secret: string): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)]);
    const from = Math.ceil((offset * 8) / 6);
    const to = Math.floor((bytes.length * 8) / 6);
    return [bytes.toString("base64").slice(from, to), bytes.toString("base64url").slice(from, to)];
  });
}

function urlEncoded(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    // Half a surrogate pair has no encoding.
    return text;
  }
}

function urlDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function escaped(text: string): string {
  return jsonText(text).slice(1, -1);
}

/** One pattern for all, the longest first, so that a URL is masked before the password within it. */
function anyOf(forms: readonly string[], flags: string): RegExp {
  const longestFirst = [...new Set(forms)].sort((a, b) => b.length - a.length);
  return new RegExp(longestFirst.map((form) => form.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")).join("|"), flags);
}
