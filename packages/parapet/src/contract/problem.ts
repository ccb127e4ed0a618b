import { type Static, Type } from "typebox";

/** The types of problems that say more than their code: URNs, since there is no page to read. */
export const PROBLEM_TYPES = {
  /** The change may have been made: trying again without an Idempotency-Key may make it twice. */
  outcomeUnknown: "urn:parapet:problem:outcome-unknown",
  /** There is no such path here, or it has no such method: nothing is said of what the path would name. */
  noSuchOperation: "urn:parapet:problem:no-such-operation",
} as const;

/** One broken rule as the client sees it. */
const ProblemViolation = Type.Object({
  in: Type.Union([Type.Literal("body"), Type.Literal("query"), Type.Literal("path"), Type.Literal("header")]),
  field: Type.String({ description: "the field's name; empty for the whole" }),
  rule: Type.String({ description: "the name of the broken rule" }),
  detail: Type.String({ description: "what would be accepted" }),
});

/** RFC 9457 problem details, the body of every answer that is not a success. `code` is what programs decide by. */
export const Problem = Type.Object(
  {
    type: Type.String({
      description: `about:blank, or ${PROBLEM_TYPES.outcomeUnknown} when the change may have been made, or ${PROBLEM_TYPES.noSuchOperation}`,
    }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: "one of the closed set of error codes" }),
    detail: Type.Optional(Type.String()),
    instance: Type.String({
      description: "the request's id, also in the x-request-id header and in the service's log",
    }),
    errors: Type.Optional(Type.Array(ProblemViolation)),
  },
  { $id: "Problem" },
);
export type Problem = Static<typeof Problem>;
