import type { ErrorCode } from "../errors/index.ts";

/** The one map from error codes to HTTP statuses. 499 is nginx's "client closed request": counted, never received. */
export const STATUS_OF: Readonly<Record<ErrorCode, number>> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  stale: 412,
  rate_limited: 429,
  canceled: 499,
  internal: 500,
  unavailable: 503,
  timeout: 504,
};
