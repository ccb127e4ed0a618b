import { preconditionFailed } from "./amqp-error.ts";
import type { Consumer } from "./consumer.ts";
import type { Queue, QueueEntry } from "./queue.ts";

/** A message that somebody has and has not settled. */
export interface Delivered {
  readonly queue: Queue;
  readonly entry: QueueEntry;
  /** Who was given it; nobody when it was fetched. */
  readonly consumer: Consumer | undefined;
}

/** What was delivered over a channel and is not settled, by its tag. */
export class Unsettled {
  readonly #delivered = new Map<number, Delivered>();
  #tags = 0;

  /** The tag of the next delivery. */
  nextTag(): number {
    return ++this.#tags;
  }

  add(tag: number, delivered: Delivered): void {
    this.#delivered.set(tag, delivered);
  }

  /** What a tag stands for, or all up to it, no longer unsettled. Throws PRECONDITION_FAILED for a tag that stands for nothing. */
  take(deliveryTag: number, multiple: boolean): readonly Delivered[] {
    const isAll = multiple && deliveryTag === 0;
    const isMeant = (tag: number) => isAll || (multiple ? tag <= deliveryTag : tag === deliveryTag);
    const tags = [...this.#delivered.keys()].filter(isMeant);
    if (tags.length === 0 && !isAll) throw preconditionFailed(`unknown delivery tag ${deliveryTag}`);
    return tags.map((tag) => this.#taken(tag));
  }

  /** Gives all back to where they came from, in their order. */
  putBackAll(): void {
    for (const { queue, entry } of this.take(0, true).toReversed()) queue.putBack(entry);
  }

  #taken(tag: number): Delivered {
    const delivered = this.#delivered.get(tag) as Delivered;
    this.#delivered.delete(tag);
    delivered.consumer?.released();
    return delivered;
  }
}
