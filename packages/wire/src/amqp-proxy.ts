import { AmqpConversation, type AmqpSighting } from "./amqp-conversation.ts";
import { createMessageProxy, type MessageProxy } from "./message-proxy.ts";

/** A proxy that knows each frame. */
export type AmqpProxy = MessageProxy<AmqpSighting>;

/** Starts a proxy before an `amqp://…` on a free loopback port. Throws `invalid` for any other URL. */
export function createAmqpProxy(url: string): Promise<AmqpProxy> {
  return createMessageProxy(url, {
    protocols: ["amqp:"],
    converse: (connection) => new AmqpConversation(connection),
  });
}
