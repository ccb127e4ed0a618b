export {
  AppError,
  type AppErrorOptions,
  type ErrorCode,
  hasCode,
  isOutcomeUnknown,
  toAppError,
  type Violation,
} from "./app-error.ts";
