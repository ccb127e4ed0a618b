import { type AmqpProperties, type AmqpTable, type AmqpValue, decodeProperties, encodeProperties } from "@parapet/wire";

/** A message as it was published. */
export interface StoredMessage {
  readonly exchange: string;
  readonly routingKey: string;
  /** As they travel. */
  readonly properties: Buffer;
  readonly body: Buffer;
}

/** Why a message left its queue for another. */
export type DeathReason = "rejected" | "expired" | "maxlen" | "delivery_limit";

/** A message with other headers. */
export function withHeaders(message: StoredMessage, change: (headers: AmqpTable) => AmqpTable): StoredMessage {
  const { headers = {}, ...rest } = decodeProperties(message.properties);
  return { ...message, properties: encodeProperties({ ...rest, headers: change(headers) }) };
}

/** How long it may wait by its own account, in milliseconds. */
export function expirationOf({ properties }: StoredMessage): number | undefined {
  const { expiration } = decodeProperties(properties);
  return expiration === undefined ? undefined : Number(expiration);
}

/**
 * A message on its way to a dead-letter exchange, with what happened to it so far in `x-death`: the latest first, one entry a queue and
 * reason, counted. (RabbitMQ, Dead Letter Exchanges, "Effects on the Message".)
 */
export function dead(
  message: StoredMessage,
  from: { readonly queue: string; readonly reason: DeathReason },
  to: { readonly exchange: string; readonly routingKey: string },
): StoredMessage {
  const { headers = {}, expiration, ...rest } = decodeProperties(message.properties);
  const deaths = deathsOf(headers);
  const isSame = (death: AmqpTable) => death.queue === from.queue && death.reason === from.reason;
  const count = Number(deaths.find(isSame)?.count ?? 0) + 1;
  const death: AmqpTable = {
    count,
    exchange: message.exchange,
    queue: from.queue,
    reason: from.reason,
    "routing-keys": [message.routingKey],
    time: new Date(),
    // It would expire again where it is going.
    ...(expiration !== undefined && { "original-expiration": expiration }),
  };
  const first: AmqpTable = {
    "x-first-death-exchange": message.exchange,
    "x-first-death-queue": from.queue,
    "x-first-death-reason": from.reason,
  };
  const all: AmqpTable = {
    ...(deaths.length === 0 ? first : {}),
    ...headers,
    "x-death": [death, ...deaths.filter((other) => !isSame(other))],
  };
  const properties: AmqpProperties = { ...rest, headers: all };
  return { ...message, ...to, properties: encodeProperties(properties) };
}

/** Tells whether a message has been in a queue before and came round to it without anybody's doing: RabbitMQ drops it then. */
export function isGoingRound({ properties }: StoredMessage, queue: string): boolean {
  const deaths = deathsOf(decodeProperties(properties).headers ?? {});
  return deaths.some((death) => death.queue === queue) && deaths.every((death) => death.reason !== "rejected");
}

function deathsOf(headers: AmqpTable): readonly AmqpTable[] {
  const deaths = headers["x-death"];
  return Array.isArray(deaths) ? (deaths as readonly AmqpValue[]).filter(isTable) : [];
}

function isTable(value: AmqpValue): value is AmqpTable {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);
}
