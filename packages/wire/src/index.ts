export type { AmqpSighting } from "./amqp-conversation.ts";
export { encodeContent, encodeMethod, HEARTBEAT, PROTOCOL_HEADER } from "./amqp-encoding.ts";
export { AmqpFrames } from "./amqp-frames.ts";
export { acknowledgement, confirm, delivery, publish } from "./amqp-matches.ts";
export type {
  AmqpArguments,
  AmqpBody,
  AmqpContentHeader,
  AmqpHeartbeat,
  AmqpMessage,
  AmqpMethod,
  AmqpProtocolHeader,
} from "./amqp-message.ts";
export type { AmqpMethodName } from "./amqp-methods.ts";
export { type AmqpProperties, decodeProperties, encodeProperties } from "./amqp-properties.ts";
export { type AmqpProxy, createAmqpProxy } from "./amqp-proxy.ts";
export type { AmqpTable, AmqpValue } from "./amqp-value.ts";
export type { Side } from "./conversation.ts";
export { type FrameOptions, MAX_MESSAGE_BYTES } from "./message-bound.ts";
export type { MessageProxy } from "./message-proxy.ts";
export { PostgresBackendFrames } from "./postgres-backend-frames.ts";
export type { PostgresReply, PostgresRequest, PostgresSighting } from "./postgres-conversation.ts";
export { PostgresFrontendFrames } from "./postgres-frontend-frames.ts";
export { cancelRequest, commit, committed, failureOf, replyTo, statement } from "./postgres-matches.ts";
export type {
  BackendKeyData,
  BindMessage,
  CancelRequest,
  CommandComplete,
  DescribeMessage,
  EncryptionReply,
  ErrorResponse,
  ExecuteMessage,
  ParseMessage,
  PostgresBackendMessage,
  PostgresFrame,
  PostgresFrontendMessage,
  QueryMessage,
  ReadyForQuery,
  StartupMessage,
  TransactionStatus,
} from "./postgres-message.ts";
export { createPostgresProxy, type PostgresProxy } from "./postgres-proxy.ts";
export type { RedisReply, RedisRequest, RedisSighting } from "./redis-conversation.ts";
export { command, invalidation, replyToCommand } from "./redis-matches.ts";
export { createRedisProxy, type RedisProxy } from "./redis-proxy.ts";
export { type RespCommand, RespCommandFrames, type RespReply, RespReplyFrames } from "./resp-frames.ts";
export { encodeCommand, encodeResp, type RespPair, type RespValue, respText } from "./resp-value.ts";
export type { Fate, Match, Trap } from "./trap.ts";
