import type { TObject } from "typebox";
import { AppError, type ErrorCode } from "../errors/index.ts";
import { type Api, type Operation, type OperationOptions, successStatus } from "./operation.ts";
import { Problem } from "./problem.ts";
import { type JsonSchema, SchemaComponents } from "./schema-components.ts";
import { STATUS_OF } from "./status.ts";

export interface OpenApiInfo {
  readonly title: string;
  readonly version: string;
}

/** An OpenAPI 3.1 document, plain JSON. */
export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: OpenApiInfo;
  readonly jsonSchemaDialect: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> };
}

export interface OpenApiOperation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary?: string;
  readonly parameters?: readonly object[];
  readonly requestBody?: object;
  readonly responses: Readonly<Record<string, object>>;
}

const SUCCESS = { 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content" } as const;
const NOT_MODIFIED = 304;
const TEXT = { type: "string" };
const ONCE =
  "A key of the caller's choice, up to 255 characters: the same key within a day is the same effect and reply.";
const UNPROCESSABLE = 422;

/** The OpenAPI 3.1 document of contracts; the same contracts give the same document. Throws `internal` when two operations share a name. */
export function toOpenApi(apis: readonly Api[], { title, version }: OpenApiInfo): OpenApiDocument {
  const components = new SchemaComponents();
  const paths: Record<string, Record<string, OpenApiOperation>> = {};
  for (const [operation, described] of describeAll(apis, components)) {
    paths[operation.path] = { ...paths[operation.path], [operation.method.toLowerCase()]: described };
  }
  return {
    openapi: "3.1.0",
    info: { title, version },
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    paths,
    components: { schemas: components.all() },
  };
}

function describeAll(apis: readonly Api[], components: SchemaComponents): [Operation, OpenApiOperation][] {
  const named = apis.flatMap(({ name: tag, operations }) =>
    Object.entries(operations).map(([operationId, operation]) => ({ tag, operationId, operation })),
  );
  const ids = named.map(({ operationId }) => operationId);
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice !== undefined)
    throw new AppError("internal", "two operations share a name", { fields: { operation: twice } });
  return named.map(({ tag, operationId, operation }) => [
    operation,
    { operationId, tags: [tag], ...describe(operation, components) },
  ]);
}

function describe(
  { method, options }: Operation,
  components: SchemaComponents,
): Omit<OpenApiOperation, "operationId" | "tags"> {
  const { summary, params, query, body } = options;
  const parameters = [
    ...toParameters("path", params, components),
    ...toParameters("query", query, components),
    ...toHeaderParameters(method, options),
  ];
  return {
    ...(summary && { summary }),
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: toRequestBody(components.refer(body)) }),
    responses: { ...toSuccess(method, options, components), ...toFailures(options, components) },
  };
}

function toParameters(where: "path" | "query", schema: TObject | undefined, components: SchemaComponents): object[] {
  return Object.entries(schema?.properties ?? {}).map(([name, property]) => {
    const isRequired = schema?.required?.includes(name) === true;
    return { name, in: where, ...(isRequired && { required: true }), schema: components.refer(property) };
  });
}

function toHeaderParameters(method: string, { ifMatch, version, idempotent }: OperationOptions): object[] {
  const header = (name: string, description: string): object => ({ name, in: "header", description, schema: TEXT });
  return [
    ...(idempotent ? [header("Idempotency-Key", ONCE)] : []),
    ...(ifMatch ? [header("If-Match", "The ETag of the version to act on; another one is answered 412.")] : []),
    ...(version !== undefined && method === "GET"
      ? [header("If-None-Match", "The ETag of a version that is known.")]
      : []),
  ];
}

function toRequestBody(schema: JsonSchema): object {
  return {
    required: true,
    description: "Properties that the schema does not name are refused.",
    content: { "application/json": { schema } },
  };
}

function toSuccess(method: string, options: OperationOptions, components: SchemaComponents): Record<string, object> {
  const { reply, version, location } = options;
  const status = successStatus(options);
  const headers = { ...(version && { ETag: { schema: TEXT } }), ...(location && { Location: { schema: TEXT } }) };
  const success = {
    description: SUCCESS[status],
    ...(Object.keys(headers).length > 0 && { headers }),
    ...(reply && { content: { "application/json": { schema: components.refer(reply) } } }),
  };
  const notModified = version !== undefined && method === "GET" && { [NOT_MODIFIED]: { description: "Not Modified" } };
  return { [status]: success, ...notModified };
}

/** One response a status; what any operation may answer beside the declared codes is the default. */
function toFailures(
  { errors = [], idempotent }: OperationOptions,
  components: SchemaComponents,
): Record<string, object> {
  const content = { "application/problem+json": { schema: components.refer(Problem) } };
  const codes = new Set<ErrorCode>(["invalid", ...errors, ...(idempotent ? (["conflict"] as const) : [])]);
  const declared = [...codes].map((code) => [STATUS_OF[code], { description: code, content }]);
  const mismatch = idempotent && { [UNPROCESSABLE]: { description: "the key was used for another request", content } };
  return { ...Object.fromEntries(declared), ...mismatch, default: { description: "any other failure", content } };
}
