import type { Static, TObject, TSchema } from "typebox";
import type { ErrorCode } from "../errors/index.ts";
import type { OnceDoor } from "./once.ts";
import { assertOperation } from "./operation-rules.ts";

/** The methods that operations have; HEAD and OPTIONS come by themselves. */
export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** What an operation takes and gives. All schemas are TypeBox; requests are closed: a property they don't name is refused. */
export interface OperationOptions {
  /** Where the path has `{name}`, the rule for `name`. */
  readonly params?: TObject;
  /** One property a query parameter; strings are read as the declared type; repeats are refused unless it is an array. */
  readonly query?: TObject;
  /** The JSON body. */
  readonly body?: TSchema;
  /** The JSON reply; what a handler returns is cut down to it, so that a stray field never leaks. None: an empty reply. */
  readonly reply?: TSchema;
  /** The status of success; 200 with a reply and 204 without, unless said. */
  readonly status?: 200 | 201 | 202 | 204;
  /** The codes a caller should be ready for, beside those any operation may give. For the documents. */
  readonly errors?: readonly ErrorCode[];
  /** The reply's integer property that counts its versions: it becomes the `ETag`, and `If-None-Match` is honoured. */
  readonly version?: string;
  /** Honours `If-Match`: the handler gets `expected`, the versions the caller would accept. */
  readonly ifMatch?: true;
  /** Honours `Idempotency-Key`: the handler gets `once`, to be handed to the transaction of the effect. */
  readonly idempotent?: true;
  /** The `Location` of what was created, a path template filled from the reply: `/api/v1/users/{id}`. */
  readonly location?: string;
  /** The most a body may have, in bytes; the server's limit unless said. */
  readonly maxBodyBytes?: number;
  /** How long the operation may take, in milliseconds; the server's budget unless said. */
  readonly timeoutMs?: number;
  /** One line for the documents. */
  readonly summary?: string;
}

/** One thing that a service can be asked to do over HTTP. */
export interface Operation<O extends OperationOptions = OperationOptions> {
  readonly method: Method;
  readonly path: string;
  readonly options: O;
}

type Part<K extends string, S> = S extends TSchema ? { readonly [P in K]: Static<S> } : unknown;

/** What a handler of the operation gets: exactly the parts it declared, checked. */
export type InputOf<O extends OperationOptions> = Part<"params", O["params"]> &
  Part<"query", O["query"]> &
  Part<"body", O["body"]> &
  (O["ifMatch"] extends true ? { readonly expected: readonly number[] | undefined } : unknown) &
  (O["idempotent"] extends true ? { readonly once: OnceDoor<ReplyOf<O>> } : unknown);

/** What a handler of the operation returns. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler without a reply returns nothing
export type ReplyOf<O extends OperationOptions> = O["reply"] extends TSchema ? Static<O["reply"]> : void;

/** A named set of operations: the contract a service publishes, from which all else about its HTTP face is made. */
export interface Api<Operations extends Record<string, Operation> = Record<string, Operation>> {
  readonly name: string;
  readonly operations: Operations;
}

/** Declares a contract. Throws `internal` when an operation contradicts itself: a path and its `params`, for one. */
export function api<const Operations extends Record<string, Operation>>(
  name: string,
  operations: Operations,
): Api<Operations> {
  for (const [key, operation] of Object.entries(operations)) assertOperation(`${name}.${key}`, operation);
  return { name, operations };
}

/** Declares a GET on a path template: `get("/users/{id}", { params, reply })`. */
export const get = declare("GET");
/** Declares a POST on a path template. */
export const post = declare("POST");
/** Declares a PUT on a path template. */
export const put = declare("PUT");
/** Declares a PATCH on a path template; the body is a JSON merge patch, RFC 7396. */
export const patch = declare("PATCH");
/** Declares a DELETE on a path template. */
export const del = declare("DELETE");

function declare(method: Method) {
  return <const O extends OperationOptions>(path: string, options: O): Operation<O> => ({ method, path, options });
}

/** The status an operation answers when all went well. */
export function successStatus(options: OperationOptions): NonNullable<OperationOptions["status"]> {
  return options.status ?? (options.reply === undefined ? 204 : 200);
}
