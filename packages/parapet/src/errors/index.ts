export { AppError, type AppErrorOptions, type ErrorCode, hasCode, toAppError, type Violation } from "./app-error.ts";
