import { toDateTime } from "../../contract/index.ts";
import type { Message, ReceivedMessage } from "../message.ts";
import type { AmqpDelivery, AmqpProperties } from "./amqp-channel.ts";
import { EVENTS } from "./topology.ts";

/** How the attributes go by in headers (CloudEvents, AMQP Protocol Binding 1.0.2, 3.1.3); its other separator is read too. */
const PREFIX = "cloudEvents_";
const PREFIXES = [PREFIX, "cloudEvents:"];
const SPEC_VERSION = "1.0";

/** Headers of ours, on copies that were delivered before. */
export const FAILURES = "x-parapet-failures";
export const ERROR = "x-parapet-error";
const FAILED_AT = "x-parapet-failed-at";

/** What brokers and we note of a message's way so far. */
const NOTES = /^x-(death|first-death-|last-death-|delivery-count$|acquired-count$|parapet-)/;

/** The properties that a message is published with. */
export function toProperties({ id, type, source, key, time, headers }: Message): AmqpProperties {
  const attributes = { id, type, source, subject: key, time: toDateTime(time), specversion: SPEC_VERSION };
  const prefixed = Object.entries(attributes).map(([name, value]) => [PREFIX + name, value]);
  return {
    messageId: id,
    type,
    appId: source,
    timestamp: Math.floor(time.getTime() / 1000),
    contentType: "application/json",
    persistent: true,
    headers: { ...headers, ...Object.fromEntries(prefixed) },
  };
}

/** A message as it arrived; what is missing, or is not what it should be, is left out. */
export function toReceived({ content, properties, fields }: AmqpDelivery): ReceivedMessage {
  const all: Readonly<Record<string, unknown>> = properties.headers ?? {};
  const attribute = (name: string) => PREFIXES.map((prefix) => textOf(all[prefix + name])).find(isThere);
  const time = new Date(attribute("time") ?? Number.NaN);
  return {
    data: content,
    headers: plainHeaders(all),
    ...defined({
      id: attribute("id") ?? textOf(properties.messageId),
      type: attribute("type") ?? typeOf({ properties, fields }),
      source: attribute("source") ?? textOf(properties.appId),
      key: attribute("subject"),
      time: Number.isNaN(time.getTime()) ? undefined : time,
    }),
  };
}

/** How often handling it has failed, by its own account. */
export function failuresOf({ properties }: AmqpDelivery): number {
  const failures: unknown = properties.headers?.[FAILURES];
  return Number.isInteger(failures) && Number(failures) > 0 ? Number(failures) : 0;
}

/** What became of it last, by its own account or the broker's. */
export function failureOf({ properties }: AmqpDelivery): { readonly error: string; readonly failedAt?: Date } {
  const { [ERROR]: error, [FAILED_AT]: failedAt, "x-death": deaths } = properties.headers ?? {};
  // Copies of ours have none: the broker has moved it since.
  if (Array.isArray(deaths)) return { error: `the broker put it here: ${textOf(deaths[0]?.reason) ?? "no reason"}` };
  const at = new Date(textOf(failedAt) ?? Number.NaN);
  return {
    error: textOf(error) ?? "somebody put it here, and did not say why",
    ...(!Number.isNaN(at.getTime()) && { failedAt: at }),
  };
}

/** The properties of a copy that goes on to another queue: all as it was, and why it does. */
export function toCopy(delivery: AmqpDelivery, failures: number, error: string): AmqpProperties {
  const { headers, ...carried } = carriedBy(delivery);
  const failure = { [FAILURES]: failures, [ERROR]: error, [FAILED_AT]: toDateTime(new Date()) };
  return { ...carried, headers: { ...headers, ...failure } };
}

/** The properties of a copy that begins anew: all as it was, but for the id when there is a new one. */
export function toReplay(delivery: AmqpDelivery, newId: string | undefined): AmqpProperties {
  const carried = carriedBy(delivery);
  if (newId === undefined) return carried;
  const isId = (name: string) => PREFIXES.some((prefix) => name === `${prefix}id`);
  const headers = Object.fromEntries(Object.entries(carried.headers ?? {}).filter(([name]) => !isId(name)));
  return { ...carried, messageId: newId, headers: { ...headers, [`${PREFIX}id`]: newId } };
}

function carriedBy({ properties, fields }: AmqpDelivery): AmqpProperties {
  const { headers, messageId, appId, timestamp, contentType, contentEncoding, correlationId, replyTo } = properties;
  const type = typeOf({ properties, fields });
  const own = Object.fromEntries(Object.entries(headers ?? {}).filter(([name]) => !NOTES.test(name)));
  const carried = { messageId, type, appId, timestamp, contentType, contentEncoding, correlationId, replyTo };
  return { ...defined(carried), persistent: true, headers: own };
}

/** What AMQP says of it: elsewhere than where it was first published, the routing key is the name of a queue. */
function typeOf({ properties, fields }: Pick<AmqpDelivery, "properties" | "fields">): string | undefined {
  return textOf(properties.type) ?? (fields.exchange === EVENTS ? fields.routingKey : undefined);
}

/** Texts, without the attributes and what brokers and we add. */
function plainHeaders(all: Readonly<Record<string, unknown>>): Record<string, string> {
  const isOurs = (name: string) => name.startsWith("x-") || PREFIXES.some((prefix) => name.startsWith(prefix));
  const texts = Object.entries(all).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string" && !isOurs(entry[0]),
  );
  return Object.fromEntries(texts);
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function isThere(value: string | undefined): value is string {
  return value !== undefined;
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}
