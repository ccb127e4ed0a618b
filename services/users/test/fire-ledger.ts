import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { SeededRandom } from "parapet/testing";
import { Value } from "typebox/value";
import { User } from "../pkg/client/index.ts";
import { type Known, type Outcome, problemsIn } from "./fire-problems.ts";
import { sendJson } from "./users-json.ts";

const REPLY_TIMEOUT_MS = 10_000;
const PAUSE_MS = 20;
const SHOWN_PROBLEMS = 5;

/** Clients that change users while processes die, and what they were told. */
export class FireLedger {
  /** Which users are theirs, on servers that all tests share: those with addresses here. */
  readonly #domain = `${randomBytes(6).toString("hex")}.example.com`;
  readonly #known = new Map<string, Known>();
  #addresses = 0;
  #acknowledged = 0;
  #unanswered = 0;

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Requests without a reply, or with one that leaves open what was done. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** An email address that no other user has. */
  newAddress(): string {
    return `${this.#addresses++}@${this.#domain}`;
  }

  /** One client, until it is told to end: creates users, changes each some times, and deletes some of them. */
  async client(random: SeededRandom, urlOf: () => string | undefined, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const url = urlOf();
      if (url === undefined) await delay(PAUSE_MS);
      else await this.#life(random, urlOf, url, signal);
    }
  }

  async #life(random: SeededRandom, urlOf: () => string | undefined, url: string, signal: AbortSignal): Promise<void> {
    const email = this.newAddress();
    const user = await this.#ask(201, () => sendJson("POST", `${url}/api/v1/users`, { name: "Ada", email }));
    if (!Value.Check(User, user)) return;
    const known: Known = { attemptedUpdates: 0, acknowledgedUpdates: 0, deletion: "none" };
    this.#known.set(user.id, known);
    const address = () => `${urlOf() ?? url}/api/v1/users/${user.id}`;
    for (let n = random.below(5); n > 0 && !signal.aborted; n--) {
      known.attemptedUpdates++;
      const name = `Ada ${n}`;
      if ((await this.#ask(200, () => sendJson("PATCH", address(), { name }))) !== undefined)
        known.acknowledgedUpdates++;
      await delay(random.below(PAUSE_MS));
    }
    if (!random.chance(0.3)) return;
    known.deletion = "attempted";
    if ((await this.#ask(204, () => fetch(address(), { method: "DELETE" }))) !== undefined)
      known.deletion = "acknowledged";
  }

  /** What the reply says, when it is the one that acknowledges. */
  async #ask(status: number, request: () => Promise<Response>): Promise<unknown> {
    try {
      const reply = await Promise.race([request(), delay(REPLY_TIMEOUT_MS, undefined, { ref: false })]);
      const text = await reply?.text();
      if (reply?.status !== status) throw new Error(`${reply?.status}`);
      this.#acknowledged++;
      return text === "" ? {} : JSON.parse(text ?? "");
    } catch {
      this.#unanswered++;
      await delay(PAUSE_MS);
      return undefined;
    }
  }

  /** What is lost, doubled, invented or out of order, in words, the first of it; empty when all is as it was acknowledged. */
  problems(outcome: Outcome): string[] {
    const events = outcome.events.filter(({ data }) => data.email.endsWith(`@${this.#domain}`));
    return problemsIn(this.#known, { ...outcome, events }).slice(0, SHOWN_PROBLEMS);
  }
}
