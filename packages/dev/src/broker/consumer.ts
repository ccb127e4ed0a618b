import type { BrokerChannel } from "./channel.ts";
import type { Queue, QueueConsumer, QueueEntry } from "./queue.ts";

export interface ConsumerOptions {
  readonly queue: Queue;
  readonly tag: string;
  /** What is delivered to it is settled by that. */
  readonly noAck: boolean;
  /** Nobody else may take from the queue. */
  readonly exclusive: boolean;
  /** How many messages it may have at once; 0 is no limit. */
  readonly prefetch: number;
}

/** Who takes a queue's messages over a channel. */
export class Consumer implements QueueConsumer {
  readonly queue: Queue;
  readonly tag: string;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  readonly #channel: BrokerChannel;
  readonly #prefetch: number;
  #unsettled = 0;

  constructor(channel: BrokerChannel, { queue, tag, noAck, exclusive, prefetch }: ConsumerOptions) {
    this.#channel = channel;
    this.queue = queue;
    this.tag = tag;
    this.noAck = noAck;
    this.exclusive = exclusive;
    this.#prefetch = prefetch;
  }

  get hasRoom(): boolean {
    const isFull = !this.noAck && this.#prefetch > 0 && this.#unsettled >= this.#prefetch;
    return !isFull && !this.#channel.isCongested;
  }

  deliver(entry: QueueEntry): void {
    if (!this.noAck) this.#unsettled++;
    this.#channel.deliver(this, entry);
  }

  cancel(): void {
    this.#channel.canceled(this);
  }

  /** One of its messages is settled. */
  released(): void {
    this.#unsettled--;
    this.queue.wake();
  }
}
