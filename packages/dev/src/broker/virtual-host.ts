import { randomBytes } from "node:crypto";
import type { AmqpTable } from "@parapet/wire";
import {
  accessRefused,
  commandInvalid,
  notFound,
  notImplemented,
  preconditionFailed,
  resourceLocked,
} from "./amqp-error.ts";
import { Exchange, type ExchangeType } from "./exchange.ts";
import { Queue } from "./queue.ts";
import { parseQueueSettings, type QueueFlags, requireEquivalent } from "./queue-settings.ts";
import { type DeathReason, dead, isGoingRound, type StoredMessage } from "./stored-message.ts";

/** What all queues together may hold, in bytes of bodies; more is refused. */
const MAX_BYTES = 256 * 1024 * 1024;
const TYPES: readonly string[] = ["direct", "topic", "fanout"];
const PREDECLARED: readonly (readonly [name: string, type: ExchangeType])[] = [
  ["amq.direct", "direct"],
  ["amq.topic", "topic"],
  ["amq.fanout", "fanout"],
];

/** How a publish ended: taken by each queue that it went to, refused by one of them, or it went to none. */
export type Published = "taken" | "refused" | "unroutable";

export interface ExchangeDeclaration {
  readonly exchange: string;
  readonly type: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: AmqpTable;
}

export interface QueueDeclaration extends QueueFlags {
  readonly queue: string;
  readonly arguments: AmqpTable;
}

/** The exchanges and queues of the broker. What it throws closes the channel or the connection of who asked. */
export class VirtualHost {
  readonly #exchanges = new Map<string, Exchange>();
  readonly #queues = new Map<string, Queue>();
  #bytes = 0;

  constructor() {
    const flags = { durable: true, autoDelete: false, internal: false };
    for (const [name, type] of PREDECLARED) this.#exchanges.set(name, new Exchange(name, type, flags));
  }

  /** Throws NOT_FOUND. */
  exchange(name: string): Exchange {
    const exchange = this.#exchanges.get(name);
    if (exchange === undefined) throw notFound("exchange", name);
    return exchange;
  }

  declareExchange(declaration: ExchangeDeclaration): void {
    const { exchange: name, type, durable, autoDelete, internal } = declaration;
    const existing = this.#exchanges.get(name);
    if (existing !== undefined) {
      requireSame(existing, declaration);
      return;
    }
    requireOwnName("exchange", name);
    if (type === "headers") throw notImplemented("headers exchange");
    if (!TYPES.includes(type)) throw commandInvalid(`unknown exchange type '${type}'`);
    for (const argument of Object.keys(declaration.arguments)) throw notImplemented(`exchange argument '${argument}'`);
    this.#exchanges.set(name, new Exchange(name, type as ExchangeType, { durable, autoDelete, internal }));
  }

  deleteExchange(name: string, ifUnused: boolean): void {
    requireOwnName("exchange", name);
    if (ifUnused && this.#exchanges.get(name)?.isUsed)
      throw preconditionFailed(`exchange '${name}' in vhost '/' in use`);
    this.#exchanges.delete(name);
  }

  hasQueue(name: string): boolean {
    return this.#queues.has(name);
  }

  /** Throws NOT_FOUND, and RESOURCE_LOCKED when it is another connection's alone. */
  queue(name: string, user: object): Queue {
    const queue = this.#queues.get(name);
    if (queue === undefined) throw notFound("queue", name);
    if (queue.owner !== undefined && queue.owner !== user) throw resourceLocked(name);
    return queue;
  }

  declareQueue(declaration: QueueDeclaration, user: object): Queue {
    const { queue: asked, durable, exclusive, autoDelete, arguments: args } = declaration;
    const flags = { durable, exclusive, autoDelete };
    const name = asked === "" ? `amq.gen-${randomBytes(16).toString("base64url")}` : asked;
    if (this.#queues.has(name)) {
      const existing = this.queue(name, user);
      requireEquivalent(name, existing, { args, flags });
      return existing;
    }
    if (asked !== "") requireOwnName("queue", asked);
    const queue = new Queue({
      name,
      flags,
      args,
      settings: parseQueueSettings(name, args, flags),
      owner: exclusive ? user : undefined,
      onDead: (from, message, reason) => this.#bury(from, message, reason),
      onBytes: (more) => {
        this.#bytes += more;
      },
    });
    this.#queues.set(name, queue);
    return queue;
  }

  /** Gives how many messages were in it. */
  deleteQueue(queue: Queue): number {
    this.#queues.delete(queue.name);
    for (const [name, exchange] of this.#exchanges) {
      exchange.forget(queue);
      if (exchange.autoDelete && !exchange.isUsed) this.#exchanges.delete(name);
    }
    return queue.delete();
  }

  /** Deletes what belongs to a connection that is gone. */
  deleteQueuesOf(user: object): void {
    for (const queue of [...this.#queues.values()]) if (queue.owner === user) this.deleteQueue(queue);
  }

  /** Throws NOT_FOUND when there is no such exchange. */
  publish(message: StoredMessage): Published {
    const queues = this.#route(message);
    if (queues.length === 0) return "unroutable";
    if (this.#bytes + message.body.length > MAX_BYTES) return "refused";
    // To all of them, also when one refuses: whoever published publishes again, and to all.
    return queues.map((queue) => queue.publish(message)).every(Boolean) ? "taken" : "refused";
  }

  /** Lets go of all. */
  close(): void {
    for (const queue of [...this.#queues.values()]) this.deleteQueue(queue);
  }

  #route({ exchange, routingKey }: StoredMessage): readonly Queue[] {
    if (exchange !== "") return [...this.exchange(exchange).route(routingKey)];
    // The default exchange knows each queue by its name.
    const queue = this.#queues.get(routingKey);
    return queue === undefined ? [] : [queue];
  }

  #bury(from: Queue, message: StoredMessage, reason: DeathReason): boolean {
    const { deadLetter } = from.settings;
    if (deadLetter === undefined) return true;
    const { exchange, routingKey = message.routingKey } = deadLetter;
    if (exchange !== "" && !this.#exchanges.has(exchange)) return false;
    const letter = dead(message, { queue: from.name, reason }, { exchange, routingKey });
    const queues = this.#route(letter).filter((queue) => reason === "rejected" || !isGoingRound(message, queue.name));
    return queues.length > 0 && queues.map((queue) => queue.publish(letter)).every(Boolean);
  }
}

function requireOwnName(kind: "queue" | "exchange", name: string): void {
  if (name === "" && kind === "exchange") throw accessRefused("operation not permitted on the default exchange");
  if (name.startsWith("amq.")) throw accessRefused(`${kind} name '${name}' contains reserved prefix 'amq.*'`);
}

function requireSame(existing: Exchange, declaration: ExchangeDeclaration): void {
  const pairs: [string, unknown, unknown][] = [
    ["type", existing.type, declaration.type],
    ["durable", existing.durable, declaration.durable],
    ["auto_delete", existing.autoDelete, declaration.autoDelete],
    ["internal", existing.internal, declaration.internal],
  ];
  for (const [argument, is, asked] of pairs) {
    if (is !== asked)
      throw preconditionFailed(
        `inequivalent arg '${argument}' for exchange '${existing.name}' in vhost '/': received '${asked}' but current is '${is}'`,
      );
  }
}
