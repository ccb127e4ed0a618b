import type { AmqpTable, AmqpValue } from "@parapet/wire";
import { notImplemented, preconditionFailed } from "./amqp-error.ts";

/** What a queue was declared with. */
export interface QueueFlags {
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
}

/** What a queue's arguments ask for. */
export interface QueueSettings {
  readonly isQuorum: boolean;
  readonly messageTtlMs: number | undefined;
  readonly deadLetter: { readonly exchange: string; readonly routingKey: string | undefined } | undefined;
  /** What can't be placed is kept and tried again, instead of dropped. */
  readonly deadLettersAtLeastOnce: boolean;
  readonly deliveryLimit: number | undefined;
  readonly maxLength: number | undefined;
  readonly maxLengthBytes: number | undefined;
  readonly rejectsPublish: boolean;
  readonly isSingleActiveConsumer: boolean;
}

/** What each argument has to be. */
const ARGUMENTS: Readonly<Record<string, (value: AmqpValue) => boolean>> = {
  "x-queue-type": (value) => value === "quorum" || value === "classic",
  "x-message-ttl": isCount,
  "x-dead-letter-exchange": isText,
  "x-dead-letter-routing-key": isText,
  "x-dead-letter-strategy": (value) => value === "at-least-once" || value === "at-most-once",
  "x-delivery-limit": isCount,
  "x-max-length": isCount,
  "x-max-length-bytes": isCount,
  "x-overflow": (value) => value === "drop-head" || value === "reject-publish",
  "x-single-active-consumer": (value) => typeof value === "boolean",
};

/**
 * Reads a declaration's arguments. Throws NOT_IMPLEMENTED for those that RabbitMQ has and this broker has not, PRECONDITION_FAILED for
 * values that are none and for what a quorum queue can't be.
 */
export function parseQueueSettings(name: string, args: AmqpTable, flags: QueueFlags): QueueSettings {
  for (const [argument, value] of Object.entries(args)) {
    const isFit = ARGUMENTS[argument];
    if (isFit === undefined || value === "stream") throw notImplemented(`queue argument '${argument}' of this kind`);
    if (!isFit(value)) throw preconditionFailed(`invalid arg '${argument}' for queue '${name}' in vhost '/'`);
  }
  const isQuorum = args["x-queue-type"] === "quorum";
  if (isQuorum) requireQuorumFlags(name, flags);
  const exchange = args["x-dead-letter-exchange"] as string | undefined;
  const routingKey = args["x-dead-letter-routing-key"] as string | undefined;
  if (exchange === undefined && routingKey !== undefined)
    throw preconditionFailed(`invalid arg 'x-dead-letter-routing-key' for queue '${name}' in vhost '/'`);
  return {
    isQuorum,
    messageTtlMs: count(args["x-message-ttl"]),
    deadLetter: exchange === undefined ? undefined : { exchange, routingKey },
    // RabbitMQ falls back to at most once where the queue would not refuse what it has no room for.
    deadLettersAtLeastOnce:
      isQuorum && args["x-dead-letter-strategy"] === "at-least-once" && args["x-overflow"] === "reject-publish",
    deliveryLimit: isQuorum ? count(args["x-delivery-limit"]) : undefined,
    maxLength: count(args["x-max-length"]),
    maxLengthBytes: count(args["x-max-length-bytes"]),
    rejectsPublish: args["x-overflow"] === "reject-publish",
    isSingleActiveConsumer: args["x-single-active-consumer"] === true,
  };
}

/** Throws PRECONDITION_FAILED, naming the first difference, when a queue is declared again as something else. */
export function requireEquivalent(
  name: string,
  current: { readonly args: AmqpTable; readonly flags: QueueFlags },
  received: { readonly args: AmqpTable; readonly flags: QueueFlags },
): void {
  const flat = ({ args, flags }: typeof current): Readonly<Record<string, unknown>> => ({
    durable: flags.durable,
    auto_delete: flags.autoDelete,
    exclusive: flags.exclusive,
    ...args,
  });
  const [ours, theirs] = [flat(current), flat(received)];
  for (const argument of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
    const [is, asked] = [ours[argument], theirs[argument]];
    if (is !== asked)
      throw preconditionFailed(
        `inequivalent arg '${argument}' for queue '${name}' in vhost '/': received '${asked ?? "none"}' but current is '${is ?? "none"}'`,
      );
  }
}

function requireQuorumFlags(name: string, { durable, exclusive, autoDelete }: QueueFlags): void {
  const unfit = !durable ? "non-durable" : exclusive ? "exclusive" : autoDelete ? "auto-delete" : undefined;
  if (unfit !== undefined)
    throw preconditionFailed(`invalid property '${unfit}' for queue '${name}' in vhost '/': it is a quorum queue`);
}

function isCount(value: AmqpValue): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}

function isText(value: AmqpValue): boolean {
  return typeof value === "string";
}

function count(value: AmqpValue | undefined): number | undefined {
  return typeof value === "number" ? value : undefined;
}
