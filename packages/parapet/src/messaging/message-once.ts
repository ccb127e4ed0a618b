import type { MessageClaim, Once } from "../contract/index.ts";
import { AppError } from "../errors/index.ts";

/** What unwinds from the transaction to the consumer: the message took effect before. */
class Duplicate {
  readonly of: MessageOnce;

  constructor(of: MessageOnce) {
    this.of = of;
  }
}

/** A message's promise of a single effect, by its id. */
export class MessageOnce implements Once<unknown> {
  readonly #claim: MessageClaim;
  #wasTaken = false;

  constructor(consumer: string, messageId: string) {
    this.#claim = { kind: "message", consumer, messageId };
  }

  take(): MessageClaim {
    this.#wasTaken = true;
    return this.#claim;
  }

  encode(): string {
    return "";
  }

  replay(): never {
    throw new Duplicate(this);
  }

  refuseMismatch(): never {
    throw new AppError("internal", "a message has nothing that could differ");
  }

  refuseBusy(): never {
    throw new AppError("unavailable", "another delivery of this message is being handled");
  }

  /** Runs a handler, and tells whether the effect is new. Throws `internal` when nothing took the promise. */
  async run(handle: () => Promise<void>): Promise<"done" | "duplicate"> {
    try {
      await handle();
    } catch (thrown) {
      if (thrown instanceof Duplicate && thrown.of === this) return "duplicate";
      throw thrown;
    }
    if (!this.#wasTaken) throw new AppError("internal", "no transaction took the promise of a single effect");
    return "done";
  }
}
