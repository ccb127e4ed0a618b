import { randomBytes } from "node:crypto";
import type { Context } from "../context/index.ts";
import type { Answer, Command } from "./redis-connection.ts";
import type { RedisLink } from "./redis-link.ts";
import { CLAIM, FILL, RELEASE, REPLACE, type Script } from "./scripts.ts";

/** What became of a read: a hit; we are to load it; somebody else does; or Redis can't be asked. */
export type Claim =
  | { readonly kind: "hit"; readonly token: string; readonly entry: string; readonly remainingMs: number }
  | { readonly kind: "owner" }
  | { readonly kind: "wait" }
  | { readonly kind: "away" };

/** An entry, the token by which it is known, and how long it lives. */
export interface Filling {
  readonly token: string;
  readonly entry: string;
  readonly lifeMs: number;
}

/** A script's one key, and its arguments. */
interface Call extends Command {
  readonly redisKey: string;
}

/** As long as the longest load. */
const LEASE_MS = 5000;
/** Keys in one UNLINK; more are several, sent together. */
const MAX_KEYS = 500;

/** What is asked of Redis. Where it can't be asked, or refuses, the answer is that nothing was done. */
export class RedisStore {
  readonly #link: RedisLink;
  readonly #prefix: string;
  readonly #process = randomBytes(6).toString("base64url");
  #tokens = 0;

  /** Its keys begin with `prefix` and a colon. */
  constructor(link: RedisLink, prefix: string) {
    this.#link = link;
    this.#prefix = `${prefix}:`;
  }

  /** A name for a lease or a value that no other has, in any process. */
  newToken(): string {
    this.#tokens++;
    return `${this.#process}${this.#tokens.toString(36)}`;
  }

  keyOf(name: string, key: string): string {
    return `${this.#prefix}${name}:${key}`;
  }

  /** The parts of a key that `keyOf` made. */
  partsOf(redisKey: string): { readonly name: string; readonly key: string } {
    const rest = redisKey.slice(this.#prefix.length);
    const end = rest.indexOf(":");
    return { name: rest.slice(0, end), key: rest.slice(end + 1) };
  }

  /** Reads a key, or takes the lease of it for `token`. */
  async claim(ctx: Context, redisKey: string, token: string): Promise<Claim> {
    // Nobody is there to send it again by its text, if Redis does not know it.
    const undo = ["EVAL", RELEASE.source, "1", redisKey, token];
    const answer = await this.#evaluate(ctx, CLAIM, {
      operation: "claim",
      redisKey,
      args: [token, String(LEASE_MS)],
      undo,
    });
    if (answer === undefined) return { kind: "away" };
    // Whatever was put there, it is nothing of ours.
    if ("refusal" in answer) return answer.refusal === "WRONGTYPE" ? hitOf("", 0) : { kind: "away" };
    const [kind, held, remainingMs] = answer.reply as ["owner" | "wait" | "hit", string, number];
    return kind === "hit" ? hitOf(held, remainingMs) : { kind };
  }

  /** Fills the key for which `token` has the lease; false when it has it no more. */
  async fill(ctx: Context, redisKey: string, { token, entry, lifeMs }: Filling): Promise<boolean> {
    const args = [token, entry, String(lifeMs)];
    return isDone(await this.#evaluate(ctx, FILL, { operation: "fill", redisKey, args }));
  }

  /** Puts an entry in the place of that of `oldToken`; false when another is there, or none. */
  async replace(ctx: Context, redisKey: string, filling: Filling & { readonly oldToken: string }): Promise<boolean> {
    const { oldToken, token, entry, lifeMs } = filling;
    const args = [oldToken, token, entry, String(lifeMs)];
    return isDone(await this.#evaluate(ctx, REPLACE, { operation: "replace", redisKey, args }));
  }

  /** Gives the lease of `token` back, so that others need not wait for it to end. */
  async release(ctx: Context, redisKey: string, token: string): Promise<void> {
    await this.#evaluate(ctx, RELEASE, { operation: "release", redisKey, args: [token] });
  }

  /** Whether the entry of this token is ours to refresh: one process refreshes it, and for five seconds no other tries. */
  async claimRefresh(ctx: Context, name: string, token: string): Promise<boolean> {
    const args = ["SET", `${this.#prefix}${name}!${token}`, "1", "NX", "PX", String(LEASE_MS)];
    const answer = await this.#link.ask(ctx, { operation: "claim_refresh", args });
    return answer !== undefined && "reply" in answer && answer.reply === "OK";
  }

  /** Removes keys; false when Redis could not be told of each. */
  async unlink(ctx: Context, redisKeys: readonly string[]): Promise<boolean> {
    const parts = Array.from({ length: Math.ceil(redisKeys.length / MAX_KEYS) }, (_, part) =>
      redisKeys.slice(part * MAX_KEYS, (part + 1) * MAX_KEYS),
    );
    const commands = parts.map((keys) => ({ operation: "unlink", args: ["UNLINK", ...keys] }) as const);
    const answers = await Promise.all(commands.map((command) => this.#link.ask(ctx, command)));
    return answers.every((answer) => answer !== undefined && "reply" in answer);
  }

  async #evaluate(ctx: Context, { source, sha }: Script, call: Call): Promise<Answer | undefined> {
    const { redisKey, args, ...rest } = call;
    const answer = await this.#link.ask(ctx, { ...rest, args: ["EVALSHA", sha, "1", redisKey, ...args] });
    // Redis forgets scripts when it restarts; this way it learns it again as it runs it.
    if (answer === undefined || !("refusal" in answer) || answer.refusal !== "NOSCRIPT") return answer;
    return this.#link.ask(ctx, { ...rest, args: ["EVAL", source, "1", redisKey, ...args] });
  }
}

function hitOf(held: string, remainingMs: number): Claim {
  const end = held.indexOf(":");
  return { kind: "hit", token: held.slice(1, end), entry: held.slice(end + 1), remainingMs };
}

function isDone(answer: Answer | undefined): boolean {
  return answer !== undefined && "reply" in answer && answer.reply === 1;
}
