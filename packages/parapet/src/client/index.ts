export { type Client, type ClientOptions, createClient, type OperationsOf } from "./client.ts";
export type { CallOf } from "./operation-call.ts";
export type { Transport, TransportRequest, TransportResult } from "./transport.ts";
