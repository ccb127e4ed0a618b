import type { AmqpSighting } from "./amqp-conversation.ts";
import type { Match } from "./trap.ts";

/** A client publishes, with this routing key, or any. What the message is follows in frames of its own. */
export function publish(routingKey?: string): Match<AmqpSighting> {
  return ({ from, message }) =>
    from === "client" &&
    message.name === "basic.publish" &&
    (routingKey === undefined || message.args.routingKey === routingKey);
}

/** The broker confirms what was published. */
export function confirm({ from, message }: AmqpSighting): boolean {
  return from === "server" && message.name === "basic.ack";
}

/** The broker delivers a message, with this routing key, or any. */
export function delivery(routingKey?: string): Match<AmqpSighting> {
  return ({ from, message }) =>
    from === "server" &&
    message.name === "basic.deliver" &&
    (routingKey === undefined || message.args.routingKey === routingKey);
}

/** A client says that it has handled what was delivered. */
export function acknowledgement({ from, message }: AmqpSighting): boolean {
  return from === "client" && message.name === "basic.ack";
}
