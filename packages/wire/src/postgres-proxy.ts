import { createMessageProxy, type MessageProxy } from "./message-proxy.ts";
import { PostgresConversation, type PostgresSighting } from "./postgres-conversation.ts";

/** A proxy that knows which statement each message is about. It declines encryption. */
export type PostgresProxy = MessageProxy<PostgresSighting>;

/** Starts a proxy before a `postgres://…` on a free loopback port. Throws `invalid` for any other URL. */
export function createPostgresProxy(url: string): Promise<PostgresProxy> {
  return createMessageProxy(url, {
    protocols: ["postgres:", "postgresql:"],
    converse: (connection) => new PostgresConversation(connection),
  });
}
