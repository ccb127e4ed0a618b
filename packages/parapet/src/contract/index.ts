export { parseCursor, toCursor } from "./cursor.ts";
export { toDateTime } from "./date-time.ts";
export { type EventContract, type EventData, event } from "./event.ts";
export type { MessageClaim, Once, OnceClaim, OnceDoor, RequestClaim } from "./once.ts";
export { type OpenApiDocument, type OpenApiInfo, type OpenApiOperation, toOpenApi } from "./openapi.ts";
export {
  type Api,
  api,
  del,
  get,
  type InputOf,
  type Method,
  type Operation,
  type OperationOptions,
  patch,
  post,
  put,
  type ReplyOf,
  successStatus,
} from "./operation.ts";
export { isPathTemplate, pathParams } from "./path.ts";
export { PROBLEM_TYPES, Problem } from "./problem.ts";
export { STATUS_OF } from "./status.ts";
export { openValidator, type Validator, validator } from "./validator.ts";
