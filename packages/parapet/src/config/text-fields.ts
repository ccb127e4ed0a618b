import { MIN_SECRET_LENGTH } from "../log/index.ts";
import { type Field, type FieldOptions, makeField, type Optional } from "./field.ts";

export interface TextOptions extends FieldOptions<string> {
  readonly minLength?: number;
  readonly maxLength?: number;
  /** Never shown, and masked in every log line. At least 6 characters, since shorter ones can't be masked. */
  readonly secret?: boolean;
}

export interface UrlOptions extends FieldOptions<string> {
  /** As in `URL.protocol`: `["postgres:", "postgresql:"]`. */
  readonly protocols: readonly string[];
  /** Holds credentials: shown as host and path only, and masked in every log line. */
  readonly secret?: boolean;
}

const FLAGS: Readonly<Record<string, boolean>> = { true: true, 1: true, false: false, 0: false };

/** A text, at least one character long. */
export function text(variable: string, options: TextOptions): Field<string>;
export function text(variable: string, options: Optional<TextOptions>): Field<string | undefined>;
export function text(variable: string, options: TextOptions & { readonly optional?: true }) {
  const { secret = false, maxLength = Number.POSITIVE_INFINITY } = options;
  const minLength = Math.max(options.minLength ?? 1, secret ? MIN_SECRET_LENGTH : 1);
  return makeField(variable, options, {
    accepts: `${secret ? "a secret text" : "a text"}${lengthText(minLength, maxLength)}`,
    example: "x".repeat(minLength),
    secret,
    parse: (value) => (value.length >= minLength && value.length <= maxLength ? value : undefined),
  });
}

/** An absolute URL with one of the protocols, as it was written. */
export function url(variable: string, options: UrlOptions): Field<string>;
export function url(variable: string, options: Optional<UrlOptions>): Field<string | undefined>;
export function url(variable: string, options: UrlOptions & { readonly optional?: true }) {
  const { protocols, secret = false } = options;
  const starts = protocols.map((protocol) => `${protocol}//`);
  return makeField(variable, options, {
    accepts: `a URL that starts with ${starts.join(" or ")}${secret ? ", kept secret" : ""}`,
    example: `${starts[0]}localhost`,
    secret,
    parse: (value) => (isUrl(value, starts) ? value : undefined),
  });
}

/** One of a set of words, spelled exactly so. */
export function oneOf<const Word extends string>(
  variable: string,
  words: readonly Word[],
  options: FieldOptions<Word>,
): Field<Word>;
export function oneOf<const Word extends string>(
  variable: string,
  words: readonly Word[],
  options: Optional<FieldOptions<Word>>,
): Field<Word | undefined>;
export function oneOf<const Word extends string>(
  variable: string,
  words: readonly Word[],
  options: FieldOptions<Word> & { readonly optional?: true },
) {
  return makeField(variable, options, {
    accepts: `one of ${words.join(", ")}`,
    example: words[0] ?? "",
    parse: (value) => words.find((word) => word === value),
  });
}

/** Texts separated by commas, none of them empty; white space around the commas is dropped. */
export function list(variable: string, options: FieldOptions<readonly string[]>): Field<readonly string[]>;
export function list(
  variable: string,
  options: Optional<FieldOptions<readonly string[]>>,
): Field<readonly string[] | undefined>;
export function list(variable: string, options: FieldOptions<readonly string[]> & { readonly optional?: true }) {
  return makeField<readonly string[]>(variable, options, {
    accepts: "texts separated by commas",
    example: "one,two",
    parse: (value) => {
      const items = value.split(",").map((item) => item.trim());
      return items.includes("") ? undefined : items;
    },
  });
}

/** A yes or no: `true` or `1`, `false` or `0`. */
export function flag(variable: string, options: FieldOptions<boolean>): Field<boolean>;
export function flag(variable: string, options: Optional<FieldOptions<boolean>>): Field<boolean | undefined>;
export function flag(variable: string, options: FieldOptions<boolean> & { readonly optional?: true }) {
  return makeField(variable, options, {
    accepts: "true or false (or 1 or 0)",
    example: "true",
    parse: (value) => (Object.hasOwn(FLAGS, value) ? FLAGS[value] : undefined),
  });
}

function isUrl(value: string, starts: readonly string[]): boolean {
  // The parser drops line ends and tabs and escapes blanks; drivers that take the text as it is would not.
  return starts.some((start) => value.startsWith(start) && value !== start) && !/\s/.test(value) && URL.canParse(value);
}

function lengthText(minLength: number, maxLength: number): string {
  if (maxLength !== Number.POSITIVE_INFINITY) return ` of ${minLength} to ${maxLength} characters`;
  return minLength > 1 ? ` of at least ${minLength} characters` : "";
}
