import {
  type AmqpArguments,
  type AmqpContentHeader,
  type AmqpMethod,
  type AmqpMethodName,
  decodeProperties,
} from "@parapet/wire";
import {
  AmqpError,
  accessRefused,
  commandInvalid,
  notAllowed,
  notFound,
  notImplemented,
  preconditionFailed,
  unexpectedFrame,
} from "./amqp-error.ts";
import { Consumer } from "./consumer.ts";
import type { Queue, QueueEntry } from "./queue.ts";
import type { StoredMessage } from "./stored-message.ts";
import { Unsettled } from "./unsettled.ts";
import type { VirtualHost } from "./virtual-host.ts";

/** What a channel says its answers by. */
export interface ChannelOutlet {
  /** Who uses exclusive queues. */
  readonly connection: object;
  /** So much waits to be sent that no more is to be delivered now. */
  readonly isCongested: boolean;
  send<Name extends AmqpMethodName>(name: Name, args: AmqpArguments<Name>): void;
  /** Sends a method, and the message that belongs to it. */
  sendContent<Name extends AmqpMethodName>(name: Name, args: AmqpArguments<Name>, message: StoredMessage): void;
}

interface Publishing {
  readonly args: AmqpArguments<"basic.publish">;
  header: AmqpContentHeader | undefined;
  readonly parts: Buffer[];
  bytes: number;
}

type Handlers = { readonly [Name in AmqpMethodName]?: (args: AmqpArguments<Name>) => void };

/** The longest body of a message, in bytes. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;
const NO_ROUTE = { replyCode: 312, replyText: "NO_ROUTE" } as const;

/** One channel of a connection. What it throws closes it, or its connection. */
export class BrokerChannel {
  readonly #host: VirtualHost;
  readonly #outlet: ChannelOutlet;
  readonly #consumers = new Map<string, Consumer>();
  readonly #unsettled = new Unsettled();
  #consumerTags = 0;
  #prefetch = 0;
  /** How many messages were published since confirms were asked for. */
  #confirms: number | undefined;
  #publishing: Publishing | undefined;
  /** What an empty name stands for. */
  #lastQueue = "";

  constructor(host: VirtualHost, outlet: ChannelOutlet) {
    this.#host = host;
    this.#outlet = outlet;
  }

  get isCongested(): boolean {
    return this.#outlet.isCongested;
  }

  handle(method: AmqpMethod): void {
    if (this.#publishing !== undefined) throw unexpectedFrame("expected a content header or a body");
    const handle = this.#handlers[method.name] as ((args: unknown) => void) | undefined;
    if (handle === undefined) {
      if (method.name.startsWith("tx.")) throw notImplemented("transactions");
      throw commandInvalid(`unexpected method '${method.name}'`);
    }
    handle(method.args);
  }

  header(header: AmqpContentHeader): void {
    const publishing = this.#publishing;
    if (publishing === undefined || publishing.header !== undefined) throw unexpectedFrame("expected a method");
    if (header.bodySize > MAX_BODY_BYTES) {
      this.#publishing = undefined;
      throw preconditionFailed(`message size ${header.bodySize} is larger than max size ${MAX_BODY_BYTES}`);
    }
    try {
      decodeProperties(header.properties);
    } catch {
      throw new AmqpError("connection", 502, "SYNTAX_ERROR - the properties of a message can't be read");
    }
    publishing.header = header;
    this.#publishWhenWhole(publishing);
  }

  body(payload: Buffer): void {
    const publishing = this.#publishing;
    if (publishing?.header === undefined) throw unexpectedFrame("expected a method or a content header");
    publishing.parts.push(payload);
    publishing.bytes += payload.length;
    this.#publishWhenWhole(publishing);
  }

  /** Has the queues look whether there is room again. */
  wake(): void {
    for (const { queue } of this.#consumers.values()) queue.wake();
  }

  /** Gives back what is not settled, in its order, and takes no more. */
  close(): void {
    for (const consumer of [...this.#consumers.values()]) this.#unsubscribe(consumer);
    this.#unsettled.putBackAll();
  }

  /** Hands a message to who consumes. */
  deliver(consumer: Consumer, entry: QueueEntry): void {
    const { message, isRedelivered } = entry;
    const deliveryTag = this.#unsettled.nextTag();
    const { exchange, routingKey } = message;
    if (consumer.noAck) consumer.queue.settle(entry);
    else this.#unsettled.add(deliveryTag, { queue: consumer.queue, entry, consumer });
    const args = { consumerTag: consumer.tag, deliveryTag, redelivered: isRedelivered, exchange, routingKey };
    this.#outlet.sendContent("basic.deliver", args, message);
  }

  /** Tells who consumes that its queue is gone. */
  canceled(consumer: Consumer): void {
    this.#consumers.delete(consumer.tag);
    this.#outlet.send("basic.cancel", { consumerTag: consumer.tag, noWait: true });
  }

  readonly #handlers: Handlers = {
    "channel.flow": ({ active }) => {
      if (!active) throw notImplemented("pause by channel.flow");
      this.#outlet.send("channel.flow-ok", { active });
    },
    "exchange.declare": (args) => {
      if (args.passive) {
        if (args.exchange !== "") this.#host.exchange(args.exchange);
      } else this.#host.declareExchange(args);
      if (!args.noWait) this.#outlet.send("exchange.declare-ok", {});
    },
    "exchange.delete": ({ exchange, ifUnused, noWait }) => {
      this.#host.deleteExchange(exchange, ifUnused);
      if (!noWait) this.#outlet.send("exchange.delete-ok", {});
    },
    "exchange.bind": () => {
      throw notImplemented("bindings between exchanges");
    },
    "exchange.unbind": () => {
      throw notImplemented("bindings between exchanges");
    },
    "queue.declare": (args) => this.#declareQueue(args),
    "queue.bind": ({ queue, exchange, routingKey, noWait, arguments: args }) => {
      if (exchange === "") throw accessRefused("operation not permitted on the default exchange");
      for (const argument of Object.keys(args)) throw notImplemented(`binding argument '${argument}'`);
      const bound = this.#queue(queue);
      this.#host.exchange(exchange).bind(bound, routingKey);
      if (!noWait) this.#outlet.send("queue.bind-ok", {});
    },
    "queue.unbind": ({ queue, exchange, routingKey }) => {
      if (exchange === "") throw accessRefused("operation not permitted on the default exchange");
      const bound = this.#queue(queue);
      this.#host.exchange(exchange).unbind(bound, routingKey);
      this.#outlet.send("queue.unbind-ok", {});
    },
    "queue.purge": ({ queue, noWait }) => {
      const messageCount = this.#queue(queue).purge();
      if (!noWait) this.#outlet.send("queue.purge-ok", { messageCount });
    },
    "queue.delete": (args) => this.#deleteQueue(args),
    "basic.qos": ({ prefetchSize, prefetchCount, global }) => {
      if (prefetchSize > 0) throw notImplemented("prefetch by size");
      if (global) throw notImplemented("prefetch of a whole channel");
      this.#prefetch = prefetchCount;
      this.#outlet.send("basic.qos-ok", {});
    },
    "basic.consume": (args) => this.#consume(args),
    "basic.cancel": ({ consumerTag, noWait }) => {
      const consumer = this.#consumers.get(consumerTag);
      if (consumer !== undefined) this.#unsubscribe(consumer);
      if (!noWait) this.#outlet.send("basic.cancel-ok", { consumerTag });
    },
    "basic.publish": (args) => {
      if (args.immediate) throw notImplemented("immediate delivery");
      this.#publishing = { args, header: undefined, parts: [], bytes: 0 };
    },
    "basic.get": ({ queue, noAck }) => this.#get(queue, noAck),
    "basic.ack": ({ deliveryTag, multiple }) => {
      for (const { queue, entry } of this.#unsettled.take(deliveryTag, multiple)) queue.settle(entry);
    },
    "basic.reject": ({ deliveryTag, requeue }) => this.#refuse(deliveryTag, { multiple: false, requeue }),
    "basic.nack": ({ deliveryTag, multiple, requeue }) => this.#refuse(deliveryTag, { multiple, requeue }),
    "basic.recover": ({ requeue }) => {
      if (!requeue) throw notImplemented("recovery without requeueing");
      this.#unsettled.putBackAll();
      this.#outlet.send("basic.recover-ok", {});
    },
    "confirm.select": ({ noWait }) => {
      this.#confirms ??= 0;
      if (!noWait) this.#outlet.send("confirm.select-ok", {});
    },
  };

  #queue(name: string): Queue {
    return this.#host.queue(this.#nameOf(name), this.#outlet.connection);
  }

  #nameOf(name: string): string {
    if (name !== "") return name;
    if (this.#lastQueue === "") throw notFound("queue", "");
    return this.#lastQueue;
  }

  #declareQueue(args: AmqpArguments<"queue.declare">): void {
    const { connection } = this.#outlet;
    const queue = args.passive
      ? this.#host.queue(this.#nameOf(args.queue), connection)
      : this.#host.declareQueue(args, connection);
    this.#lastQueue = queue.name;
    const { name, messageCount, consumerCount } = queue;
    if (!args.noWait) this.#outlet.send("queue.declare-ok", { queue: name, messageCount, consumerCount });
  }

  #deleteQueue({ queue: name, ifUnused, ifEmpty, noWait }: AmqpArguments<"queue.delete">): void {
    let messageCount = 0;
    if (this.#exists(name)) {
      const queue = this.#queue(name);
      if (ifUnused && queue.consumerCount > 0) throw preconditionFailed(`queue '${queue.name}' in vhost '/' in use`);
      if (ifEmpty && queue.messageCount > 0) throw preconditionFailed(`queue '${queue.name}' in vhost '/' not empty`);
      messageCount = this.#host.deleteQueue(queue);
    }
    if (!noWait) this.#outlet.send("queue.delete-ok", { messageCount });
  }

  /** What is not there can be deleted, too. */
  #exists(name: string): boolean {
    return this.#host.hasQueue(this.#nameOf(name));
  }

  #consume({
    queue: name,
    consumerTag,
    noAck,
    exclusive,
    noWait,
    arguments: args,
  }: AmqpArguments<"basic.consume">): void {
    for (const argument of Object.keys(args)) throw notImplemented(`consumer argument '${argument}'`);
    const queue = this.#queue(name);
    const tag = consumerTag === "" ? `amq.ctag-${++this.#consumerTags}` : consumerTag;
    if (this.#consumers.has(tag)) throw notAllowed(`attempt to reuse consumer tag '${tag}'`);
    if (queue.isTakenExclusively || (exclusive && queue.consumerCount > 0))
      throw accessRefused(`queue '${queue.name}' in vhost '/' in exclusive use`);
    const consumer = new Consumer(this, { queue, tag, noAck, exclusive, prefetch: this.#prefetch });
    this.#consumers.set(tag, consumer);
    if (!noWait) this.#outlet.send("basic.consume-ok", { consumerTag: tag });
    queue.subscribe(consumer);
  }

  #unsubscribe(consumer: Consumer): void {
    const { queue, tag } = consumer;
    this.#consumers.delete(tag);
    queue.unsubscribe(consumer);
    if (queue.flags.autoDelete && queue.consumerCount === 0) this.#host.deleteQueue(queue);
  }

  #get(name: string, noAck: boolean): void {
    const queue = this.#queue(name);
    const entry = queue.get();
    if (entry === undefined) {
      this.#outlet.send("basic.get-empty", { clusterId: "" });
      return;
    }
    const deliveryTag = this.#unsettled.nextTag();
    const { exchange, routingKey } = entry.message;
    if (noAck) queue.settle(entry);
    else this.#unsettled.add(deliveryTag, { queue, entry, consumer: undefined });
    const { messageCount } = queue;
    const args = { deliveryTag, redelivered: entry.isRedelivered, exchange, routingKey, messageCount };
    this.#outlet.sendContent("basic.get-ok", args, entry.message);
  }

  #refuse(deliveryTag: number, { multiple, requeue }: { readonly multiple: boolean; readonly requeue: boolean }): void {
    for (const { queue, entry } of this.#unsettled.take(deliveryTag, multiple)) {
      if (requeue) queue.putBack(entry);
      else queue.reject(entry);
    }
  }

  #publishWhenWhole({ args, header, parts, bytes }: Publishing): void {
    if (header === undefined || bytes < header.bodySize) return;
    this.#publishing = undefined;
    if (bytes > header.bodySize) throw unexpectedFrame("a body is longer than its header says");
    const { exchange, routingKey, mandatory } = args;
    // A copy: frames are parts of whatever came with them.
    const message = { exchange, routingKey, properties: Buffer.from(header.properties), body: Buffer.concat(parts) };
    const published = this.#host.publish(message);
    if (published === "unroutable" && mandatory)
      this.#outlet.sendContent("basic.return", { ...NO_ROUTE, exchange, routingKey }, message);
    if (this.#confirms === undefined) return;
    const deliveryTag = ++this.#confirms;
    if (published === "refused") this.#outlet.send("basic.nack", { deliveryTag, multiple: false, requeue: false });
    else this.#outlet.send("basic.ack", { deliveryTag, multiple: false });
  }
}
