import { STATUS_CODES } from "node:http";
import { PROBLEM_TYPES, type Problem, STATUS_OF } from "../contract/index.ts";
import { type AppError, isOutcomeUnknown } from "../errors/index.ts";
import { Refusal } from "./refusal.ts";
import type { HttpReply } from "./route.ts";

/** nginx's status for a caller that left before its answer. */
export const CLIENT_CLOSED_REQUEST = 499;

/** The one place where an error becomes an answer: RFC 9457 problem details, with nothing in it that the log alone may see. */
export function toProblemReply(error: AppError, requestId: string): HttpReply {
  const status = error instanceof Refusal ? error.status : STATUS_OF[error.code];
  const problem: Problem = {
    type: toType(error),
    title: status === CLIENT_CLOSED_REQUEST ? "Client Closed Request" : (STATUS_CODES[status] ?? "Error"),
    status,
    code: error.code,
    ...(error.code === "internal" ? {} : { detail: error.message }),
    instance: requestId,
    ...(error.violations.length === 0 ? {} : { errors: [...error.violations] }),
  };
  return { status, headers: toProblemHeaders(error, status), body: JSON.stringify(problem) };
}

function toType(error: AppError): string {
  const own = error instanceof Refusal ? error.type : undefined;
  return isOutcomeUnknown(error) ? PROBLEM_TYPES.outcomeUnknown : (own ?? "about:blank");
}

function toProblemHeaders(error: AppError, status: number): Record<string, string> {
  const isWorthRetrying = (status === 503 && !isOutcomeUnknown(error)) || error.retryAfterMs !== undefined;
  return {
    "content-type": "application/problem+json; charset=utf-8",
    "cache-control": "no-store",
    ...(status === 401 ? { "www-authenticate": "Bearer" } : {}),
    ...(isWorthRetrying ? { "retry-after": toRetryAfter(error.retryAfterMs) } : {}),
    ...(error instanceof Refusal ? error.headers : {}),
  };
}

/** Whole seconds, at least one, with up to as much again on top: callers that failed together must not return together. */
function toRetryAfter(retryAfterMs = 1000): string {
  const leastSeconds = Math.max(1, Math.ceil(retryAfterMs / 1000));
  return String(leastSeconds + Math.floor(Math.random() * (leastSeconds + 2)));
}
