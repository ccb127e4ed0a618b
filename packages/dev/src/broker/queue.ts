import type { AmqpTable } from "@parapet/wire";
import type { QueueFlags, QueueSettings } from "./queue-settings.ts";
import { type DeathReason, expirationOf, type StoredMessage, withHeaders } from "./stored-message.ts";

/** A message in a queue. */
export interface QueueEntry {
  readonly message: StoredMessage;
  /** Its place: what is put back comes before what came later. */
  readonly place: number;
  readonly isRedelivered: boolean;
  /** How often it was delivered and came back. */
  readonly returns: number;
  /** On `performance.now()`'s clock. */
  readonly expiresAt: number | undefined;
}

/** Who takes messages of a queue. */
export interface QueueConsumer {
  readonly hasRoom: boolean;
  readonly exclusive: boolean;
  deliver(entry: QueueEntry): void;
  /** The queue is gone. */
  cancel(): void;
}

export interface QueueOptions {
  readonly name: string;
  readonly flags: QueueFlags;
  readonly args: AmqpTable;
  readonly settings: QueueSettings;
  /** Who alone may use it, when it is exclusive. */
  readonly owner: object | undefined;
  /** Takes a message that leaves the queue; false when no other queue has it. */
  readonly onDead: (queue: Queue, message: StoredMessage, reason: DeathReason) => boolean;
  /** Is told how many more bytes it holds. */
  readonly onBytes: (more: number) => void;
}

const UNPLACED_RETRY_MS = 1000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Keeps messages in their order until they are settled. */
export class Queue {
  readonly name: string;
  readonly flags: QueueFlags;
  readonly args: AmqpTable;
  readonly settings: QueueSettings;
  readonly owner: object | undefined;
  readonly #onDead: QueueOptions["onDead"];
  readonly #onBytes: QueueOptions["onBytes"];
  readonly #ready: QueueEntry[] = [];
  /** Dead letters that no queue has taken yet. */
  #unplaced: { readonly entry: QueueEntry; readonly reason: DeathReason }[] = [];
  /** In turns. */
  readonly #consumers: QueueConsumer[] = [];
  #bytes = 0;
  #places = 0;
  #isPumping = false;
  #isDeleted = false;
  #expiry: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor({ name, flags, args, settings, owner, onDead, onBytes }: QueueOptions) {
    this.name = name;
    this.flags = flags;
    this.args = args;
    this.settings = settings;
    this.owner = owner;
    this.#onDead = onDead;
    this.#onBytes = onBytes;
  }

  get messageCount(): number {
    return this.#ready.length;
  }

  get consumerCount(): number {
    return this.#consumers.length;
  }

  get isTakenExclusively(): boolean {
    return this.#consumers.some(({ exclusive }) => exclusive);
  }

  /** Takes a message; false when it has no room and refuses it. */
  publish(message: StoredMessage): boolean {
    const { messageTtlMs = Number.POSITIVE_INFINITY, rejectsPublish } = this.settings;
    if (rejectsPublish && this.#isOver(1, message.body.length)) return false;
    const ttlMs = Math.min(messageTtlMs, expirationOf(message) ?? Number.POSITIVE_INFINITY);
    const expiresAt = ttlMs === Number.POSITIVE_INFINITY ? undefined : performance.now() + ttlMs;
    this.#insert({ message, place: ++this.#places, isRedelivered: false, returns: 0, expiresAt });
    this.#hold(message.body.length);
    while (!rejectsPublish && this.#isOver(0, 0) && this.#ready.length > 0) this.#kill(this.#takeFirst(), "maxlen");
    this.wake();
    return true;
  }

  /** The first message, now the caller's to settle. */
  get(): QueueEntry | undefined {
    this.#expire();
    return this.#ready.length > 0 ? this.#takeFirst() : undefined;
  }

  /** A message was handled. */
  settle({ message }: QueueEntry): void {
    this.#hold(-message.body.length);
    this.wake();
  }

  /** A message was refused for good. */
  reject(entry: QueueEntry): void {
    this.#kill(entry, "rejected");
  }

  /** A message was not handled, and goes back to its place. */
  putBack(entry: QueueEntry): void {
    const { deliveryLimit = Number.POSITIVE_INFINITY, isQuorum } = this.settings;
    const returns = entry.returns + 1;
    if (this.#isDeleted) this.settle(entry);
    else if (returns > deliveryLimit) this.#kill(entry, "delivery_limit");
    else {
      const counted = (headers: AmqpTable) => ({ ...headers, "x-delivery-count": returns });
      const message = isQuorum ? withHeaders(entry.message, counted) : entry.message;
      this.#insert({ ...entry, message, returns, isRedelivered: true });
      this.wake();
    }
  }

  subscribe(consumer: QueueConsumer): void {
    this.#consumers.push(consumer);
    this.wake();
  }

  unsubscribe(consumer: QueueConsumer): void {
    const at = this.#consumers.indexOf(consumer);
    if (at >= 0) this.#consumers.splice(at, 1);
    this.wake();
  }

  /** Drops what nobody has yet; gives how many these were. */
  purge(): number {
    const purged = this.#ready.splice(0);
    for (const entry of purged) this.settle(entry);
    return purged.length;
  }

  /** Drops all, and tells who took from it; gives how many messages nobody had yet. */
  delete(): number {
    this.#isDeleted = true;
    clearTimeout(this.#expiry);
    clearTimeout(this.#retry);
    for (const consumer of this.#consumers.splice(0)) consumer.cancel();
    for (const { entry } of this.#unplaced.splice(0)) this.settle(entry);
    return this.purge();
  }

  /** Hands out what waits, soon: not from within the publish. */
  wake(): void {
    if (this.#isPumping || this.#isDeleted) return;
    this.#isPumping = true;
    queueMicrotask(() => {
      this.#isPumping = false;
      this.#pump();
    });
  }

  #pump(): void {
    this.#expire();
    for (let taker = this.#next(); taker !== undefined && this.#ready.length > 0; taker = this.#next())
      taker.deliver(this.#takeFirst());
    this.#scheduleExpiry();
  }

  /** The consumer whose turn it is, if any has room. */
  #next(): QueueConsumer | undefined {
    if (this.settings.isSingleActiveConsumer) {
      const [active] = this.#consumers;
      return active?.hasRoom ? active : undefined;
    }
    const at = this.#consumers.findIndex(({ hasRoom }) => hasRoom);
    const [taker] = at < 0 ? [] : this.#consumers.splice(at, 1);
    if (taker !== undefined) this.#consumers.push(taker);
    return taker;
  }

  #insert(entry: QueueEntry): void {
    // From behind: what comes back is nearly always older than all, what is new younger.
    if (entry.place < (this.#ready[0]?.place ?? 0)) this.#ready.unshift(entry);
    else {
      let at = this.#ready.length;
      while (at > 0 && (this.#ready[at - 1]?.place ?? 0) > entry.place) at--;
      this.#ready.splice(at, 0, entry);
    }
  }

  #takeFirst(): QueueEntry {
    return this.#ready.shift() as QueueEntry;
  }

  #expire(): void {
    const now = performance.now();
    // Only at the head, as RabbitMQ: what has less time behind it waits.
    while ((this.#ready[0]?.expiresAt ?? Number.POSITIVE_INFINITY) <= now) this.#kill(this.#takeFirst(), "expired");
  }

  #scheduleExpiry(): void {
    clearTimeout(this.#expiry);
    const expiresAt = this.#ready[0]?.expiresAt;
    if (expiresAt === undefined) return;
    const ms = Math.min(LONGEST_TIMER_MS, Math.max(1, Math.ceil(expiresAt - performance.now())));
    this.#expiry = setTimeout(() => this.#pump(), ms);
  }

  /** Sends a message where dead letters go. */
  #kill(entry: QueueEntry, reason: DeathReason): void {
    const isPlaced = this.#onDead(this, entry.message, reason);
    if (isPlaced || !this.settings.deadLettersAtLeastOnce || this.#isDeleted) this.settle(entry);
    else {
      this.#unplaced.push({ entry, reason });
      this.#retry ??= setTimeout(() => this.#killAgain(), UNPLACED_RETRY_MS);
    }
  }

  #killAgain(): void {
    this.#retry = undefined;
    for (const { entry, reason } of this.#unplaced.splice(0)) this.#kill(entry, reason);
  }

  /** Tells whether it holds more than it may, with so many more. */
  #isOver(more: number, moreBytes: number): boolean {
    const { maxLength = Number.POSITIVE_INFINITY, maxLengthBytes = Number.POSITIVE_INFINITY } = this.settings;
    return this.#ready.length + more > maxLength || this.#bytes + moreBytes > maxLengthBytes;
  }

  #hold(bytes: number): void {
    this.#bytes += bytes;
    this.#onBytes(bytes);
  }
}
