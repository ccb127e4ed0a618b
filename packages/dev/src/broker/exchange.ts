import type { Queue } from "./queue.ts";
import { matchesTopic } from "./topic-match.ts";

export type ExchangeType = "direct" | "topic" | "fanout";

interface Binding {
  readonly queue: Queue;
  readonly routingKey: string;
}

/** Tells which queues a message goes to. */
export class Exchange {
  readonly name: string;
  readonly type: ExchangeType;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly #bindings = new Map<string, Binding>();

  constructor(
    name: string,
    type: ExchangeType,
    flags: { readonly durable: boolean; readonly autoDelete: boolean; readonly internal: boolean },
  ) {
    this.name = name;
    this.type = type;
    this.durable = flags.durable;
    this.autoDelete = flags.autoDelete;
    this.internal = flags.internal;
  }

  get isUsed(): boolean {
    return this.#bindings.size > 0;
  }

  bind(queue: Queue, routingKey: string): void {
    this.#bindings.set(JSON.stringify([queue.name, routingKey]), { queue, routingKey });
  }

  unbind(queue: Queue, routingKey: string): void {
    this.#bindings.delete(JSON.stringify([queue.name, routingKey]));
  }

  /** Forgets a queue that is gone. */
  forget(queue: Queue): void {
    for (const [name, binding] of this.#bindings) if (binding.queue === queue) this.#bindings.delete(name);
  }

  /** The queues that a routing key leads to, each once. */
  route(routingKey: string): ReadonlySet<Queue> {
    const matches = [...this.#bindings.values()].filter((binding) => this.#matches(binding.routingKey, routingKey));
    return new Set(matches.map(({ queue }) => queue));
  }

  #matches(pattern: string, routingKey: string): boolean {
    if (this.type === "fanout") return true;
    return this.type === "topic" ? matchesTopic(pattern, routingKey) : pattern === routingKey;
  }
}
