export { createLogger, type LoggerOptions, prepareLine } from "./create-logger.ts";
export { type ErrorFields, toErrorFields } from "./error-fields.ts";
export type { LineSink } from "./line-sink.ts";
export { LOG_LEVELS, type LogFields, type Logger, type LogLevel } from "./logger.ts";
export { type PrettyOptions, prettyLine } from "./pretty-line.ts";
export { scrubText } from "./scrub.ts";
export { MASK, MIN_SECRET_LENGTH, registerSecret } from "./secrets.ts";
export { droppedLines, flushLogs } from "./stdout-sink.ts";
