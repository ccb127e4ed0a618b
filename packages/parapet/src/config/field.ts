import { AppError } from "../errors/index.ts";

export interface FieldOptions<T> {
  /** What the setting is for: a sentence for the table of settings. */
  readonly description: string;
  /** What applies when the variable is not set. Without it the variable is required. */
  readonly default?: T;
  /** A value that would be right, for messages and documents. */
  readonly example?: string;
}

/** The options of a setting that may be missing: it is `undefined` then. */
export type Optional<Options> = Omit<Options, "default"> & { readonly optional: true };

/** One setting: the variable it is read from and what that may hold. Made by `port`, `integer`, `url` and so on. */
export interface Field<T> {
  readonly kind: "field";
  readonly variable: string;
  /** What it takes, for people: `a whole number from 1 to 10`. */
  readonly accepts: string;
  readonly description: string;
  readonly example: string;
  readonly secret: boolean;
  /** What applies when the variable is not set, or undefined when it is required. */
  readonly fallback: { readonly value: T } | undefined;
  /** The value of a text, or undefined when the text is not accepted. */
  parse(text: string): { readonly value: T } | undefined;
}

/** What tells one kind of field from another. */
export interface FieldKind<T> {
  readonly accepts: string;
  readonly example: string;
  readonly secret?: boolean;
  /** The value of a text, or undefined when the text is not accepted. */
  parse(text: string): T | undefined;
}

/**
 * Makes a field of a kind. White space around a value is never accepted: it is a mistake of whoever set it, and what
 * ignores it here stumbles over it there. Throws `internal` when the default is not a value that the field takes.
 */
export function makeField<T>(
  variable: string,
  options: FieldOptions<T> & { readonly optional?: true },
  kind: FieldKind<T>,
): Field<T | undefined> {
  const parse = (text: string) => {
    const value = text === text.trim() ? kind.parse(text) : undefined;
    return value === undefined ? undefined : { value };
  };
  const defaultText = options.default === undefined ? "" : settingText(options.default);
  if (defaultText !== "" && parse(defaultText) === undefined) {
    throw new AppError("internal", "a setting's default is not a value that it takes", { fields: { variable } });
  }
  return {
    kind: "field",
    variable,
    accepts: kind.accepts,
    description: options.description,
    example: options.example ?? (defaultText === "" ? kind.example : defaultText),
    secret: kind.secret ?? false,
    fallback: options.default === undefined && options.optional !== true ? undefined : { value: options.default },
    parse,
  };
}

/** A value as one would set it in the environment. */
export function settingText(value: unknown): string {
  if (value === undefined) return "";
  return Array.isArray(value) ? value.join(",") : String(value);
}
