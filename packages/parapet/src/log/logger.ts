/** The levels, least to most severe. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Named values beside the message. `error` takes anything thrown and shows its message, code, stack and cause. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Writes one JSON object a line: `time`, `level`, `msg`, `service`, `version`, and the fields. Messages are lower case
 * and carry no values; values are fields, in snake case. Secrets are masked wherever they stand. Logging never throws,
 * never blocks and never waits, whatever the fields are and wherever the lines go.
 */
export interface Logger {
  /** Who logs: the service and its version, on every line. */
  readonly service: string;
  readonly version: string;
  /** The level that applies now. Setting it changes this logger, the one it came from, and all their children. */
  level: LogLevel;
  isEnabled(level: LogLevel): boolean;
  debug(msg: string, fields?: LogFields): void;
  info(msg: string, fields?: LogFields): void;
  warn(msg: string, fields?: LogFields): void;
  error(msg: string, fields?: LogFields): void;
  /** A logger whose every line carries these fields too. */
  child(fields: LogFields): Logger;
}
