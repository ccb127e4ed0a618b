/** What tells one publish from another, as far as a return tells. */
interface Published {
  readonly exchange: string;
  readonly routingKey: string;
  readonly id: string | undefined;
}

/** Messages that the broker sent back since no queue takes them. It says so before it confirms them. (RabbitMQ, Publisher Confirms.) */
export class Returned {
  readonly #counts = new Map<string, number>();

  note(published: Published): void {
    const name = nameOf(published);
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  /** Tells, once each time, whether it came back. */
  take(published: Published): boolean {
    const name = nameOf(published);
    const count = this.#counts.get(name);
    if (count === undefined) return false;
    if (count === 1) this.#counts.delete(name);
    else this.#counts.set(name, count - 1);
    return true;
  }
}

function nameOf({ exchange, routingKey, id }: Published): string {
  return JSON.stringify([exchange, routingKey, id]);
}
