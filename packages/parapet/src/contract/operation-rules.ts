import { type TSchema, Type } from "typebox";
import { AppError } from "../errors/index.ts";
import { hasHiddenRule } from "./hidden-rule.ts";
import type { Operation, OperationOptions } from "./operation.ts";
import { isPathTemplate, pathParams } from "./path.ts";

/** Throws `internal` when an operation contradicts itself, so that the mistake shows at boot. */
export function assertOperation(name: string, { method, path, options }: Operation): void {
  const problem =
    pathProblem(path, options) ?? schemaProblem(options) ?? bodyProblem(method, options) ?? replyProblem(options);
  if (problem !== undefined) {
    throw new AppError("internal", `an operation ${problem}`, { fields: { operation: name, path } });
  }
}

function pathProblem(path: string, { params }: OperationOptions): string | undefined {
  if (!isPathTemplate(path)) return "needs a path like /plain/{whole_segment}";
  const declared = Object.keys(params?.properties ?? {});
  return sameNames(pathParams(path), declared) ? undefined : "has other names in its path than in its params";
}

function schemaProblem({ params, query, body, reply }: OperationOptions): string | undefined {
  return [params, query, body, reply].some(hasHiddenRule) ? "has a rule that JSON Schema can't show" : undefined;
}

function bodyProblem(method: string, { body, idempotent }: OperationOptions): string | undefined {
  if (method === "GET" && body !== undefined) return "is a GET and has a body";
  if (method === "GET" && idempotent === true) return "is a GET, which has no effect to happen once";
  return undefined;
}

function replyProblem({ reply, status, version, location = "" }: OperationOptions): string | undefined {
  const properties = reply !== undefined && Type.IsObject(reply) ? reply.properties : {};
  if (status === 204 && reply !== undefined) return "has a reply and a status that allows none";
  if (version !== undefined && !isInteger(properties[version])) return "has a version that is no integer of its reply";
  if (pathParams(location).some((name) => !(name in properties))) return "has a location that its reply can't fill";
  return undefined;
}

function isInteger(schema: TSchema | undefined): boolean {
  return schema !== undefined && Type.IsInteger(schema);
}

function sameNames(some: readonly string[], others: readonly string[]): boolean {
  return [...some].sort().join() === [...others].sort().join();
}
