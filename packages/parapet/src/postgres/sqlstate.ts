import pg from "pg";
import { AppError } from "../errors/index.ts";

const MESSAGES = {
  conflict: "this conflicts with what is stored",
  invalid: "a value does not fit where it would be stored",
  timeout: "the database took too long",
  unavailable: "the database is not available",
  internal: "a statement failed",
} as const;

type DatabaseCode = keyof typeof MESSAGES;

// What a caller can do about it decides the code; whatever is not listed is a bug of ours.
const CODES: Readonly<Record<string, DatabaseCode>> = {
  "23503": "conflict", // foreign_key_violation
  "23505": "conflict", // unique_violation
  "23P01": "conflict", // exclusion_violation
  "22001": "invalid", // string_data_right_truncation
  "22003": "invalid", // numeric_value_out_of_range
  "22007": "invalid", // invalid_datetime_format
  "22008": "invalid", // datetime_field_overflow
  "22021": "invalid", // character_not_in_repertoire
  "22P02": "invalid", // invalid_text_representation
  "22P05": "invalid", // untranslatable_character
  "23502": "invalid", // not_null_violation
  "23514": "invalid", // check_violation
  "54001": "invalid", // statement_too_complex
  "57014": "timeout", // query_canceled, by statement_timeout or an operator
  "25P03": "timeout", // idle_in_transaction_session_timeout
  "25P04": "timeout", // transaction_timeout
  "26000": "unavailable", // invalid_sql_statement_name, after its retry
  "25006": "unavailable", // read_only_sql_transaction: this server is no longer the primary
  "42P05": "unavailable", // duplicate_prepared_statement: what the session has is not what we believe
  "40001": "unavailable", // serialization_failure, after its retries
  "40P01": "unavailable", // deadlock_detected, after its retries
  "53100": "unavailable", // disk_full
  "53200": "unavailable", // out_of_memory
  "53300": "unavailable", // too_many_connections
  "55P03": "unavailable", // lock_not_available
  "57P01": "unavailable", // admin_shutdown
  "57P02": "unavailable", // crash_shutdown
  "57P03": "unavailable", // cannot_connect_now
  "57P05": "unavailable", // idle_session_timeout
};

/**
 * Translates what the driver threw. `conflict`, `invalid`, `timeout`, `unavailable` or `internal`, with `sqlstate` and
 * `constraint` as fields; never a value of a row. Without a session, what the server says is always `unavailable`.
 */
export function databaseError(thrown: unknown, where: "connecting" | "in session"): AppError {
  if (thrown instanceof AppError) return thrown;
  const sqlstate = sqlstateOf(thrown);
  // Not the server's word: the connection is gone, or what came through it is not to be understood.
  if (!(thrown instanceof pg.DatabaseError) || sqlstate === undefined) {
    return unavailable(MESSAGES.unavailable, { cause: thrown });
  }
  const lost = where === "connecting" || sqlstate.startsWith("08");
  const code = CODES[sqlstate] ?? (lost ? "unavailable" : "internal");
  const constraint = thrown.constraint === undefined ? {} : { constraint: thrown.constraint };
  const options = { cause: thrown, fields: { sqlstate, ...constraint } };
  return code === "unavailable" ? unavailable(MESSAGES[code], options) : new AppError(code, MESSAGES[code], options);
}

/** An `unavailable` with a jittered wait of one to two seconds, so that callers don't come back all at once. */
export function unavailable(message: string, options: { cause?: unknown; fields?: Record<string, unknown> } = {}) {
  return new AppError("unavailable", message, { ...options, retryAfterMs: 1000 + Math.round(Math.random() * 1000) });
}

/** Tells whether an error is the violation of this constraint, so that a repository can say what it means. */
export function violates(thrown: unknown, constraint: string): thrown is AppError {
  return thrown instanceof AppError && thrown.fields.constraint === constraint;
}

const SQLSTATE = /^[0-9A-Z]{5}$/;

/** The SQLSTATE of an error that came from the server, or undefined; whatever else stands in its place is none. */
export function sqlstateOf(thrown: unknown): string | undefined {
  const cause = thrown instanceof AppError ? thrown.cause : thrown;
  return cause instanceof pg.DatabaseError && SQLSTATE.test(cause.code ?? "") ? cause.code : undefined;
}

/** Where in its text a statement went wrong, counted from 1, when the server said so. */
export function errorPosition(thrown: unknown): number | undefined {
  const cause = thrown instanceof AppError ? thrown.cause : thrown;
  return cause instanceof pg.DatabaseError && cause.position !== undefined ? Number(cause.position) : undefined;
}

/** The server's plan for a named statement no longer fits the schema: preparing it by another name helps. */
export function isStalePlan(thrown: unknown): boolean {
  const cause = thrown instanceof AppError ? thrown.cause : thrown;
  return cause instanceof pg.DatabaseError && cause.code === "0A000" && cause.routine === "RevalidateCachedQuery";
}

/** The server does not know a statement by its name, and the driver no longer believes that it does: it prepares it anew. */
export function isForgotten(thrown: unknown): boolean {
  return sqlstateOf(thrown) === "26000";
}

/** It waited for a lock for as long as it may. */
export function isLockedOut(thrown: unknown): boolean {
  return sqlstateOf(thrown) === "55P03";
}

/** The server is no longer the primary, or never was. */
export function isReadOnly(thrown: unknown): boolean {
  return sqlstateOf(thrown) === "25006";
}

/** After these the session is not one to go on with: the server ended it, or is not the primary, or was not understood. */
export function endsSession(sqlstate: string | undefined): boolean {
  return sqlstate === undefined || /^(08|57P|25P0[34]|25006$|42P05$)/.test(sqlstate);
}
