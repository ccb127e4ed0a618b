import { type TObject, type TSchema, Type } from "typebox";
import type { Context } from "../context/index.ts";
import {
  type Api,
  type InputOf,
  type Operation,
  type OperationOptions,
  type ReplyOf,
  validator,
} from "../contract/index.ts";
import { AppError, type Violation } from "../errors/index.ts";
import { toExpectedVersions } from "./entity-tag.ts";
import { type JsonBody, jsonBody } from "./json-body.ts";
import { Coercer } from "./query.ts";
import { replyWriter } from "./reply-writer.ts";
import { RequestOnce } from "./request-once.ts";
import type { HandledRoute, HttpHandler, HttpRequest, Route } from "./route.ts";

/** A handler for each operation of a contract: checked input in, the declared reply out. */
export type HandlersOf<A extends Api> = {
  readonly [Name in keyof A["operations"]]: A["operations"][Name] extends Operation<infer O>
    ? (ctx: Context, input: InputOf<O>) => Promise<ReplyOf<O>>
    : never;
};

type AnyHandler = (ctx: Context, input: Record<string, unknown>) => Promise<unknown>;

/** Ties a contract to its handlers. What reaches a handler kept every rule of its operation; what it throws is translated by the server. */
export function implement<A extends Api>(api: A, handlers: HandlersOf<A>): readonly Route[] {
  return Object.entries(api.operations).map(([name, operation]) =>
    toRoute(operation, handlers[name] as unknown as AnyHandler),
  );
}

function toRoute({ method, path, options }: Operation, handle: AnyHandler): HandledRoute {
  const readHead = headReader(options);
  const body: JsonBody | undefined = options.body && jsonBody(options.body, options.maxBodyBytes);
  const write = replyWriter(options);
  const handler: HttpHandler = async (ctx, request) => {
    const input = readHead(request);
    if (body !== undefined) input.body = await body.read(ctx, request);
    else if (request.hasBody) throw new AppError("invalid", "this operation takes no body");
    if (options.idempotent !== true) return write(request, await handle(ctx, input));
    const once = new RequestOnce(request, input.body, write);
    return once.run(() => handle(ctx, { ...input, once }));
  };
  return {
    kind: "handled",
    method,
    path,
    handler,
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  };
}

// A parameter that nobody asked for is refused like any other unknown field.
const NO_QUERY = Type.Object({});

type PartReader = (request: HttpRequest, violations: Violation[]) => unknown;

/** Reads what an operation takes from a request's head. Throws `invalid` with all that is wrong there. */
function headReader(options: OperationOptions): (request: HttpRequest) => Record<string, unknown> {
  const parts = partReaders(options);
  const assertNoQuery = options.query === undefined ? queryReader(NO_QUERY) : undefined;
  return (request) => {
    const input: Record<string, unknown> = {};
    const violations: Violation[] = [];
    for (const [part, read] of parts) input[part] = read(request, violations);
    if (request.query !== "") assertNoQuery?.(request, violations);
    if (violations.length > 0) throw new AppError("invalid", "the request breaks its contract", { violations });
    return input;
  };
}

function partReaders({ params, query, ifMatch }: OperationOptions): [string, PartReader][] {
  const readers: [string, PartReader][] = [];
  if (params !== undefined) {
    const coercer = new Coercer(params);
    readers.push(["params", checked(params, "path", (request) => coercer.ofParams(request.params))]);
  }
  if (query !== undefined) readers.push(["query", queryReader(query)]);
  if (ifMatch === true) readers.push(["expected", (request) => toExpectedVersions(request.headers["if-match"])]);
  return readers;
}

function queryReader(schema: TObject): PartReader {
  const coercer = new Coercer(schema);
  return checked(schema, "query", (request) => coercer.ofQuery(request.query));
}

function checked(schema: TSchema, where: Violation["in"], read: (request: HttpRequest) => unknown): PartReader {
  const { accepts, violations: violationsOf } = validator(schema);
  return (request, violations) => {
    const value = read(request);
    if (!accepts(value)) violations.push(...violationsOf(value, where));
    return value;
  };
}
