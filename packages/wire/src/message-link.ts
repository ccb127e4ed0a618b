import type { Socket } from "node:net";
import { AppError, toAppError } from "parapet/errors";
import type { Conversation, Side, Sighting } from "./conversation.ts";
import type { ArmedTrap } from "./trap.ts";
import type { Traps } from "./traps.ts";

/** What a direction writes or leaves unread before it stops reading. */
export const MAX_WAITING_BYTES = 1024 * 1024;

/** What a direction reports to its connection. */
export interface LinkEvents<Seen> {
  /** A message has its turn, whatever becomes of it. */
  readonly onMessage: (seen: Seen) => void;
  /** The other side is to get this in the server's place. */
  readonly onAnswer: (bytes: Buffer) => void;
  readonly onCut: () => void;
  /** What was received is no message. */
  readonly onUnreadable: (error: AppError) => void;
}

export interface LinkOptions<Seen extends Sighting> extends LinkEvents<Seen> {
  readonly side: Side;
  readonly conversation: Conversation<Seen>;
  readonly traps: Traps<Seen>;
}

/** `over` when nothing more will be handed on. */
type LinkState = "moving" | "held" | "delayed" | "over";

const NOTHING = Buffer.alloc(0);

/** One direction of a connection: hands the messages of one socket to the other, unless a trap says otherwise. */
export class MessageLink<Seen extends Sighting> {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #options: LinkOptions<Seen>;
  #state: LinkState = "moving";
  /** What a trap holds or delays. */
  #kept: Seen | undefined;
  #isFull = false;
  #hasEnded = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, options: LinkOptions<Seen>) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
    from.on("data", (bytes: Buffer) => this.receive(bytes));
    from.on("end", () => this.#end());
    to.on("drain", () => {
      this.#isFull = false;
      this.#move();
    });
  }

  /** Takes bytes as if they had arrived. */
  receive(bytes: Buffer): void {
    this.#options.conversation.receive(this.#options.side, bytes);
    this.#move();
  }

  close(): void {
    this.#state = "over";
    this.#kept = undefined;
    clearTimeout(this.#timer);
  }

  #end(): void {
    this.#hasEnded = true;
    // A message that is held must not outlive its sender: to the other side it was never sent.
    if (this.#state === "held") {
      this.close();
      this.#to.end();
    } else this.#move();
  }

  #move(): void {
    this.#to.cork();
    while (this.#state === "moving" && !this.#isFull && this.#to.writable) {
      const seen = this.#next();
      if (seen !== undefined) this.#meet(seen);
      else if (this.#hasEnded) this.#to.end();
      else break;
    }
    this.#to.uncork();
    this.#throttle();
  }

  #next(): Seen | undefined {
    const { conversation, side, onUnreadable } = this.#options;
    try {
      return conversation.next(side);
    } catch (thrown) {
      this.close();
      onUnreadable(toAppError(thrown));
      return undefined;
    }
  }

  #meet(seen: Seen): void {
    this.#options.onMessage(seen);
    const trap = this.#options.traps.catching(seen);
    if (trap === undefined || trap.fate === "pass") this.#pass(seen, trap);
    else if (trap.fate === "cut") this.#cut(seen, trap);
    else this.#catch(seen, trap);
  }

  #pass(seen: Seen, trap?: ArmedTrap<Seen>): void {
    const { conversation, onAnswer } = this.#options;
    const answer = conversation.answer(seen);
    if (answer === undefined) this.#write(seen, trap);
    else {
      onAnswer(answer);
      trap?.fire(seen);
    }
  }

  #write(seen: Seen, trap?: ArmedTrap<Seen>): void {
    this.#options.conversation.passed(seen);
    this.#isFull = !this.#to.write(seen.message.bytes, (error) => {
      if (error) trap?.fail(new AppError("unavailable", "the message could not be handed on", { cause: error }));
      else trap?.fire(seen);
    });
  }

  #cut(seen: Seen, trap: ArmedTrap<Seen>): void {
    this.#state = "over";
    // When this is written, all before it is.
    this.#to.write(NOTHING, () => {
      this.#options.onCut();
      trap.fire(seen);
    });
  }

  #catch(seen: Seen, trap: ArmedTrap<Seen>): void {
    if (trap.fate !== "swallow") this.#keep(seen, trap);
    trap.fire(seen);
  }

  #keep(seen: Seen, trap: ArmedTrap<Seen>): void {
    const goOn = () => this.#goOn(seen);
    this.#kept = seen;
    this.#state = trap.fate === "hold" ? "held" : "delayed";
    if (typeof trap.fate === "object") this.#timer = setTimeout(goOn, trap.fate.delayMs);
    trap.caught(goOn);
  }

  #goOn(seen: Seen): void {
    if (this.#kept !== seen) return;
    this.#kept = undefined;
    clearTimeout(this.#timer);
    this.#state = "moving";
    if (this.#to.writable) this.#pass(seen);
    this.#move();
  }

  #throttle(): void {
    const { conversation, side } = this.#options;
    const isWaiting = this.#state !== "moving" && conversation.waitingBytes(side) >= MAX_WAITING_BYTES;
    if (this.#isFull || isWaiting) this.#from.pause();
    else this.#from.resume();
  }
}
