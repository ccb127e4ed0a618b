/** The types of arguments. (AMQP 0-9-1, 4.2.5.) */
export type ArgumentType = "octet" | "short" | "long" | "longlong" | "bit" | "shortstr" | "longstr" | "table";

type Arguments = Readonly<Record<string, ArgumentType>>;

/** A method: its class, its own number, and its arguments in their order. */
export interface MethodLayout {
  readonly ids: readonly [classId: number, methodId: number];
  readonly arguments: Arguments;
}

const method = <const A extends Arguments>(classId: number, methodId: number, args: A) =>
  ({ ids: [classId, methodId], arguments: args }) as const;

const CLOSE = { replyCode: "short", replyText: "shortstr", classId: "short", methodId: "short" } as const;
const NAMED_QUEUE = { reserved: "short", queue: "shortstr" } as const;
const PUBLISHED = { exchange: "shortstr", routingKey: "shortstr" } as const;
const BINDING = { ...NAMED_QUEUE, ...PUBLISHED } as const;

/** The methods of AMQP 0-9-1, and those that RabbitMQ added (confirm, nack, bindings of exchanges, blocked), by class and name. */
export const METHODS = {
  "connection.start": method(10, 10, {
    versionMajor: "octet",
    versionMinor: "octet",
    serverProperties: "table",
    mechanisms: "longstr",
    locales: "longstr",
  }),
  "connection.start-ok": method(10, 11, {
    clientProperties: "table",
    mechanism: "shortstr",
    response: "longstr",
    locale: "shortstr",
  }),
  "connection.secure": method(10, 20, { challenge: "longstr" }),
  "connection.secure-ok": method(10, 21, { response: "longstr" }),
  "connection.tune": method(10, 30, { channelMax: "short", frameMax: "long", heartbeat: "short" }),
  "connection.tune-ok": method(10, 31, { channelMax: "short", frameMax: "long", heartbeat: "short" }),
  "connection.open": method(10, 40, { virtualHost: "shortstr", capabilities: "shortstr", insist: "bit" }),
  "connection.open-ok": method(10, 41, { knownHosts: "shortstr" }),
  "connection.close": method(10, 50, CLOSE),
  "connection.close-ok": method(10, 51, {}),
  "connection.blocked": method(10, 60, { reason: "shortstr" }),
  "connection.unblocked": method(10, 61, {}),
  "connection.update-secret": method(10, 70, { newSecret: "longstr", reason: "shortstr" }),
  "connection.update-secret-ok": method(10, 71, {}),
  "channel.open": method(20, 10, { outOfBand: "shortstr" }),
  "channel.open-ok": method(20, 11, { channelId: "longstr" }),
  "channel.flow": method(20, 20, { active: "bit" }),
  "channel.flow-ok": method(20, 21, { active: "bit" }),
  "channel.close": method(20, 40, CLOSE),
  "channel.close-ok": method(20, 41, {}),
  "exchange.declare": method(40, 10, {
    reserved: "short",
    exchange: "shortstr",
    type: "shortstr",
    passive: "bit",
    durable: "bit",
    autoDelete: "bit",
    internal: "bit",
    noWait: "bit",
    arguments: "table",
  }),
  "exchange.declare-ok": method(40, 11, {}),
  "exchange.delete": method(40, 20, { reserved: "short", exchange: "shortstr", ifUnused: "bit", noWait: "bit" }),
  "exchange.delete-ok": method(40, 21, {}),
  "exchange.bind": method(40, 30, {
    reserved: "short",
    destination: "shortstr",
    source: "shortstr",
    routingKey: "shortstr",
    noWait: "bit",
    arguments: "table",
  }),
  "exchange.bind-ok": method(40, 31, {}),
  "exchange.unbind": method(40, 40, {
    reserved: "short",
    destination: "shortstr",
    source: "shortstr",
    routingKey: "shortstr",
    noWait: "bit",
    arguments: "table",
  }),
  "exchange.unbind-ok": method(40, 51, {}),
  "queue.declare": method(50, 10, {
    ...NAMED_QUEUE,
    passive: "bit",
    durable: "bit",
    exclusive: "bit",
    autoDelete: "bit",
    noWait: "bit",
    arguments: "table",
  }),
  "queue.declare-ok": method(50, 11, { queue: "shortstr", messageCount: "long", consumerCount: "long" }),
  "queue.bind": method(50, 20, { ...BINDING, noWait: "bit", arguments: "table" }),
  "queue.bind-ok": method(50, 21, {}),
  "queue.purge": method(50, 30, { ...NAMED_QUEUE, noWait: "bit" }),
  "queue.purge-ok": method(50, 31, { messageCount: "long" }),
  "queue.delete": method(50, 40, { ...NAMED_QUEUE, ifUnused: "bit", ifEmpty: "bit", noWait: "bit" }),
  "queue.delete-ok": method(50, 41, { messageCount: "long" }),
  "queue.unbind": method(50, 50, { ...BINDING, arguments: "table" }),
  "queue.unbind-ok": method(50, 51, {}),
  "basic.qos": method(60, 10, { prefetchSize: "long", prefetchCount: "short", global: "bit" }),
  "basic.qos-ok": method(60, 11, {}),
  "basic.consume": method(60, 20, {
    ...NAMED_QUEUE,
    consumerTag: "shortstr",
    noLocal: "bit",
    noAck: "bit",
    exclusive: "bit",
    noWait: "bit",
    arguments: "table",
  }),
  "basic.consume-ok": method(60, 21, { consumerTag: "shortstr" }),
  "basic.cancel": method(60, 30, { consumerTag: "shortstr", noWait: "bit" }),
  "basic.cancel-ok": method(60, 31, { consumerTag: "shortstr" }),
  "basic.publish": method(60, 40, { reserved: "short", ...PUBLISHED, mandatory: "bit", immediate: "bit" }),
  "basic.return": method(60, 50, { replyCode: "short", replyText: "shortstr", ...PUBLISHED }),
  "basic.deliver": method(60, 60, {
    consumerTag: "shortstr",
    deliveryTag: "longlong",
    redelivered: "bit",
    ...PUBLISHED,
  }),
  "basic.get": method(60, 70, { ...NAMED_QUEUE, noAck: "bit" }),
  "basic.get-ok": method(60, 71, { deliveryTag: "longlong", redelivered: "bit", ...PUBLISHED, messageCount: "long" }),
  "basic.get-empty": method(60, 72, { clusterId: "shortstr" }),
  "basic.ack": method(60, 80, { deliveryTag: "longlong", multiple: "bit" }),
  "basic.reject": method(60, 90, { deliveryTag: "longlong", requeue: "bit" }),
  "basic.recover-async": method(60, 100, { requeue: "bit" }),
  "basic.recover": method(60, 110, { requeue: "bit" }),
  "basic.recover-ok": method(60, 111, {}),
  "basic.nack": method(60, 120, { deliveryTag: "longlong", multiple: "bit", requeue: "bit" }),
  "confirm.select": method(85, 10, { noWait: "bit" }),
  "confirm.select-ok": method(85, 11, {}),
  "tx.select": method(90, 10, {}),
  "tx.select-ok": method(90, 11, {}),
  "tx.commit": method(90, 20, {}),
  "tx.commit-ok": method(90, 21, {}),
  "tx.rollback": method(90, 30, {}),
  "tx.rollback-ok": method(90, 31, {}),
} as const satisfies Readonly<Record<string, MethodLayout>>;

/** `basic.publish`, and the like. */
export type AmqpMethodName = keyof typeof METHODS;
