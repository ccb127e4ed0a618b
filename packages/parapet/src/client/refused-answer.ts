import { openValidator, PROBLEM_TYPES, Problem, STATUS_OF } from "../contract/index.ts";
import { AppError, type AppErrorOptions, type ErrorCode } from "../errors/index.ts";
import type { TransportResult } from "./transport.ts";

type Answer = Extract<TransportResult, { kind: "answer" }>;

const problems = openValidator(Problem);
/** What is its own mistake, or about a caller of its own, is to ours no more than that it is not there. */
const ITS_OWN: readonly string[] = ["internal", "canceled"] satisfies ErrorCode[];

export interface RefusedAnswer {
  readonly error: AppError;
  /** A change may have been made nevertheless. */
  readonly mayHaveHappened: boolean;
}

/**
 * What an answer that is no success says, as an error of ours: the service's own code and words when it is a problem of RFC 9457 with one of the
 * codes; `unavailable` for its bugs, for an operation that it does not have, and for whatever else answers in its place.
 */
export function refusedAnswer(service: string, answer: Answer): RefusedAnswer {
  const { status, headers } = answer;
  const problem = problemOf(answer);
  const retryAfterMs = retryAfterMsOf(headers["retry-after"]);
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  // A proxy says nothing of what became of the request behind it.
  if (problem === undefined) return { error: outOfContract(service, { status }, wait), mayHaveHappened: status >= 500 };
  const { type, code, detail, title, instance, errors = [] } = problem;
  const fields = { dependency: service, status, code, instance, detail };
  const mayHaveHappened = type === PROBLEM_TYPES.outcomeUnknown;
  if (type === PROBLEM_TYPES.noSuchOperation || ITS_OWN.includes(code))
    return {
      error: new AppError("unavailable", "a dependency could not do its part", { fields, ...wait }),
      mayHaveHappened,
    };
  const error = new AppError(code as ErrorCode, detail ?? title, { fields, violations: errors, ...wait });
  return { error, mayHaveHappened };
}

/** What no service gives that keeps its contract. */
export function outOfContract(
  service: string,
  fields: AppErrorOptions["fields"],
  wait: AppErrorOptions = {},
): AppError {
  const message = "a dependency gave an answer that is not of its contract";
  return new AppError("unavailable", message, { ...wait, fields: { dependency: service, ...fields } });
}

function problemOf({ headers, body }: Answer): Problem | undefined {
  if (!headers["content-type"]?.startsWith("application/problem+json")) return undefined;
  try {
    const problem: unknown = JSON.parse(Buffer.from(body).toString());
    return problems.accepts(problem) && (problem as Problem).code in STATUS_OF ? (problem as Problem) : undefined;
  } catch {
    return undefined;
  }
}

/** RFC 9110, 10.2.3: seconds, or a date. */
function retryAfterMsOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
