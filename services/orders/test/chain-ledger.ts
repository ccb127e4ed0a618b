import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { SeededRandom } from "parapet/testing";
import type { Order } from "../pkg/client/index.ts";
import { newOrder } from "./orders-process.ts";

const REPLY_TIMEOUT_MS = 10_000;
const PAUSE_MS = 50;
/** Longer than anything is away. */
const PATIENCE_MS = 60_000;

/** What a client was told of an order. */
export interface KnownOrder {
  readonly id: string;
  readonly userId: string;
  /** What it asked for afterwards, and was told to be so. */
  move: "none" | "paid" | "canceled";
}

export interface ChainUrls {
  users(): string | undefined;
  orders(): string | undefined;
}

interface Asked {
  readonly method: string;
  readonly url: () => string | undefined;
  readonly body?: object;
}

/** Clients of both services while these die, and what they were told. What has no answer is asked for again, under the same key. */
export class ChainLedger {
  readonly orders = new Map<string, KnownOrder>();
  /** Users who were said to be gone. */
  readonly deleted = new Set<string>();
  readonly users = new Set<string>();
  /** What was never answered, in words. */
  readonly unanswered: string[] = [];
  #attempts = 0;

  get attempts(): number {
    return this.#attempts;
  }

  /** One client, until it is told to end: users who order, pay, cancel and leave. */
  async client(random: SeededRandom, urls: ChainUrls, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) await this.#life(random, urls);
  }

  async #life(random: SeededRandom, { users, orders }: ChainUrls): Promise<void> {
    const at = (base: () => string | undefined, path: string) => () => base() && `${base()}${path}`;
    const user = { name: "Ada", email: `${randomUUID()}@example.com` };
    const created = await this.#ask({ method: "POST", url: at(users, "/api/v1/users"), body: user }, 201);
    if (created === undefined) return;
    const { id: userId } = created as { id: string };
    this.users.add(userId);
    for (let n = random.below(4); n >= 0; n--) {
      const order = await this.#place(at(orders, "/api/v1/orders"), userId);
      if (order === undefined) continue;
      const move = random.oneOf(["none", "none", "pay", "cancel"] as const);
      const moved =
        move !== "none" &&
        (await this.#ask({ method: "POST", url: at(orders, `/api/v1/orders/${order.id}/${move}`) }, 200));
      if (moved) order.move = move === "pay" ? "paid" : "canceled";
    }
    if (!random.chance(0.5)) return;
    const gone = this.#ask({ method: "DELETE", url: at(users, `/api/v1/users/${userId}`) }, 204, 404);
    // While it goes, another order: it is refused, or canceled.
    if (random.chance(0.5)) await this.#place(at(orders, "/api/v1/orders"), userId, 400);
    if ((await gone) !== undefined) this.deleted.add(userId);
  }

  async #place(
    url: () => string | undefined,
    userId: string,
    ...refusals: readonly number[]
  ): Promise<KnownOrder | undefined> {
    const placed = (await this.#ask({ method: "POST", url, body: newOrder(userId) }, 201, ...refusals)) as
      | Order
      | undefined;
    if (placed?.status === undefined || typeof placed.status === "number") return undefined;
    const known: KnownOrder = { id: placed.id, userId, move: "none" };
    this.orders.set(placed.id, known);
    return known;
  }

  /** Asks until the answer has one of these statuses, and gives it; undefined when there was none for long. */
  async #ask({ method, url, body }: Asked, ...statuses: readonly number[]): Promise<unknown> {
    const headers = { "idempotency-key": `"${randomUUID()}"`, ...(body && { "content-type": "application/json" }) };
    const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
    const giveUpAt = performance.now() + PATIENCE_MS;
    let last = "nowhere to ask";
    while (performance.now() < giveUpAt) {
      const target = url();
      try {
        if (target === undefined) throw new Error("nobody is there");
        this.#attempts++;
        const reply = await fetch(target, { ...init, signal: AbortSignal.timeout(REPLY_TIMEOUT_MS) });
        const text = await reply.text();
        if (statuses.includes(reply.status)) return text === "" ? {} : JSON.parse(text);
        last = `${reply.status} ${text}`;
      } catch (thrown) {
        last = String(thrown);
      }
      await delay(PAUSE_MS);
    }
    this.unanswered.push(`${method} ${url()}: ${last}`);
    return undefined;
  }
}
