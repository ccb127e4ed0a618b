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
