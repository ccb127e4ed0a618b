/**
 * The closed set of failures. Every door translates a code into its own protocol once; nothing else invents codes.
 *
 * | code | means | HTTP |
 * |---|---|---|
 * | `invalid` | the caller's input breaks a rule | 400 |
 * | `unauthenticated` | who is calling is not known | 401 |
 * | `forbidden` | the caller is known and may not | 403 |
 * | `not_found` | the thing does not exist | 404 |
 * | `conflict` | the thing exists already, or its state forbids this | 409 |
 * | `stale` | the caller acted on an old version | 412 |
 * | `rate_limited` | the caller asks too often | 429 |
 * | `canceled` | the caller is gone | 499 |
 * | `timeout` | the deadline passed | 504 |
 * | `unavailable` | a dependency is away; trying again later may work | 503 |
 * | `internal` | a bug; logged once by the door, never shown | 500 |
 */
export type ErrorCode =
  | "invalid"
  | "unauthenticated"
  | "forbidden"
  | "not_found"
  | "conflict"
  | "stale"
  | "rate_limited"
  | "canceled"
  | "timeout"
  | "unavailable"
  | "internal";

/** One broken rule of the caller's input, fit to be shown: where, which field, which rule, and what would be right. */
export interface Violation {
  readonly in: "body" | "query" | "path" | "header";
  /** The field's name; nested ones as `address.street` and `items[3].price`; empty for the whole. */
  readonly field: string;
  /** The rule's name: a JSON Schema keyword (`minLength`, `format`, `required`) or a domain rule (`unique`). */
  readonly rule: string;
  /** A sentence that says what would be accepted. */
  readonly detail: string;
}

export interface AppErrorOptions {
  /** What led here; for the log, never shown. */
  readonly cause?: unknown;
  /** Values for the log line, never shown. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** The caller's mistakes, shown to it. */
  readonly violations?: readonly Violation[];
  /** How long the caller should wait before it tries again, in milliseconds. */
  readonly retryAfterMs?: number;
}

/**
 * The one error type that rooms throw. The message is for the client: lower case, no values, nothing secret.
 * `cause` and `fields` are for the log.
 */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly violations: readonly Violation[];
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.fields = options.fields ?? {};
    this.violations = options.violations ?? [];
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Gives an `AppError` back as it is, and anything else as the cause of an `internal` one. */
export function toAppError(thrown: unknown): AppError {
  return thrown instanceof AppError ? thrown : new AppError("internal", "internal error", { cause: thrown });
}

/** Tells whether something thrown is an `AppError` with one of these codes. */
export function hasCode(thrown: unknown, ...codes: readonly ErrorCode[]): thrown is AppError {
  return thrown instanceof AppError && codes.includes(thrown.code);
}

/**
 * Tells whether nobody knows if a change was made, as when the connection was lost during its commit: an error with the field
 * `outcome: "unknown"`. Who tries again may make it twice.
 */
export function isOutcomeUnknown(thrown: unknown): thrown is AppError {
  return thrown instanceof AppError && thrown.fields.outcome === "unknown";
}
