import { types } from "node:util";
import { AppError } from "../errors/index.ts";

/** What a log line shows of something thrown. Everything else that libraries hang on their errors stays out. */
export interface ErrorFields {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string | number;
  readonly status?: string | number;
  readonly stack?: string;
  readonly cause?: ErrorFields;
  /** The failures behind an `AggregateError`, such as one for each address that refused a connection. */
  readonly errors?: readonly ErrorFields[];
  /** The fields of an `AppError`. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

const MAX_CAUSES = 4;
const MAX_AGGREGATED = 4;

/** Tells whether something is an error, also one of another realm. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

/** Shows anything thrown by an allow-list: a driver's `detail`, `input`, `command` or `config` stays out. Never throws. */
export function toErrorFields(thrown: unknown): ErrorFields {
  try {
    return shown(thrown, MAX_CAUSES);
  } catch {
    return { message: "an unreadable value was thrown" };
  }
}

function shown(thrown: unknown, causesLeft: number): ErrorFields {
  if (typeof thrown !== "object" || thrown === null) return { message: textOf(thrown) };
  const cause = causesLeft > 0 ? read(thrown, "cause") : undefined;
  const errors = causesLeft > 0 ? read(thrown, "errors") : undefined;
  return {
    ...textField(thrown, "name"),
    ...textField(thrown, "message"),
    ...codeField(thrown, "code"),
    ...codeField(thrown, "status"),
    ...textField(thrown, "stack"),
    ...(cause === undefined || cause === null ? {} : { cause: shown(cause, causesLeft - 1) }),
    ...(Array.isArray(errors) ? { errors: errors.slice(0, MAX_AGGREGATED).map((each) => shown(each, 0)) } : {}),
    ...(thrown instanceof AppError && Object.keys(thrown.fields).length > 0 ? { fields: thrown.fields } : {}),
  };
}

function textField(thrown: object, key: string): { [key: string]: string } {
  const value = read(thrown, key);
  return typeof value === "string" ? { [key]: value } : {};
}

function codeField(thrown: object, key: string): { [key: string]: string | number } {
  const value = read(thrown, key);
  return typeof value === "string" || typeof value === "number" ? { [key]: value } : {};
}

function read(thrown: object, key: string): unknown {
  try {
    return Reflect.get(thrown, key);
  } catch {
    return undefined;
  }
}

function textOf(thrown: unknown): string {
  return typeof thrown === "function" ? "a function was thrown" : String(thrown);
}
