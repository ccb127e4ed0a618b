import { createMessageProxy, type MessageProxy } from "./message-proxy.ts";
import { RedisConversation, type RedisSighting } from "./redis-conversation.ts";

/** A proxy that knows which command each reply answers. */
export type RedisProxy = MessageProxy<RedisSighting>;

/** Starts a proxy before a `redis://…` on a free loopback port. Throws `invalid` for any other URL. */
export function createRedisProxy(url: string): Promise<RedisProxy> {
  return createMessageProxy(url, {
    protocols: ["redis:"],
    converse: (connection) => new RedisConversation(connection),
  });
}
