export { type Client, type ClientOptions, createClient, type OperationsOf } from "./client.ts";
export type { CallOf } from "./operation-call.ts";
export { singleHeaders, type Transport, type TransportRequest, type TransportResult } from "./transport.ts";
