import { AppError } from "../errors/index.ts";
import type { LineSink } from "./line-sink.ts";
import { isoTime, LineWriter } from "./line-writer.ts";
import type { LogFields, Logger, LogLevel } from "./logger.ts";
import { toSafeFields } from "./safe-fields.ts";
import { stdoutSink } from "./stdout-sink.ts";

export interface LoggerOptions {
  /** The name of the service, on every line. */
  readonly service: string;
  /** The version of the service, on every line: `dev` unless told. */
  readonly version?: string | undefined;
  /** Lines below this level are not written. */
  readonly level: LogLevel;
  /** Where lines go instead of stdout, as in tests. */
  readonly sink?: LineSink;
}

/** Logs JSON lines to stdout (lines for people on a terminal), or to the given sink. */
export function createLogger(options: LoggerOptions): Logger {
  const { service, version = "dev", level, sink } = options;
  const identity = { service, version };
  if (sink !== undefined) return new LineLogger(new LineWriter(level, sink), identity, {});
  const logger = new LineLogger(new LineWriter(level, stdoutSink()), identity, {});
  stdoutSink().reportDropped((dropped) => logger.warn("log lines were dropped", { dropped_lines: dropped }));
  return logger;
}

/**
 * Prepares a line that is written often: everything but its time and its tail is serialized now. Each call writes one;
 * `tail` is the rest of the JSON object's members (`"status":200,"path":"/"`), at least one, valid JSON without braces.
 * Masking and bounds apply as to any line, except that keys are not looked at. Throws `internal` for a logger that is
 * not ours.
 */
export function prepareLine(logger: Logger, level: LogLevel, msg: string): (tail: string) => void {
  if (logger instanceof LineLogger) return logger.prepare(level, msg);
  throw new AppError("internal", "a logger must come from parapet/log");
}

class LineLogger implements Logger {
  readonly service: string;
  readonly version: string;
  readonly #writer: LineWriter;
  readonly #fields: LogFields;

  constructor(writer: LineWriter, { service, version }: Pick<Logger, "service" | "version">, fields: LogFields) {
    this.service = service;
    this.version = version;
    this.#writer = writer;
    this.#fields = { service, version, ...fields };
  }

  get level(): LogLevel {
    return this.#writer.level;
  }

  set level(level: LogLevel) {
    this.#writer.level = level;
  }

  isEnabled(level: LogLevel): boolean {
    return this.#writer.isEnabled(level);
  }

  debug(msg: string, fields?: LogFields): void {
    this.#write("debug", msg, fields);
  }

  info(msg: string, fields?: LogFields): void {
    this.#write("info", msg, fields);
  }

  warn(msg: string, fields?: LogFields): void {
    this.#write("warn", msg, fields);
  }

  error(msg: string, fields?: LogFields): void {
    this.#write("error", msg, fields);
  }

  child(fields: LogFields): Logger {
    return new LineLogger(this.#writer, this, { ...this.#fields, ...ownFields(fields) });
  }

  prepare(level: LogLevel, msg: string): (tail: string) => void {
    const rest = JSON.stringify({ msg, ...this.#fields }).slice(1, -1);
    return (tail) => {
      if (this.isEnabled(level)) this.#writer.writeLine(level, `{"level":"${level}"${isoTime()},${rest},${tail}}\n`);
    };
  }

  #write(level: LogLevel, msg: string, fields: LogFields | undefined): void {
    if (!this.#writer.isEnabled(level)) return;
    const own = fields === undefined ? undefined : ownFields(fields);
    this.#writer.write(level, { msg, ...this.#fields, ...own });
  }
}

const RESERVED = new Set(["time", "level", "msg", "service", "version"]);

/** Fields fit for a line. One that clashes with a line's own is called `fields.level` and so on, as logrus does. */
function ownFields(fields: LogFields): LogFields {
  const safe = toSafeFields(fields);
  for (const key of RESERVED) {
    if (key in safe) {
      safe[`fields.${key}`] = safe[key];
      delete safe[key];
    }
  }
  return safe;
}
