import { createHash } from "node:crypto";
import type { Once, OnceDoor, RequestClaim } from "../contract/index.ts";
import { AppError } from "../errors/index.ts";
import { parseIdempotencyKey } from "./idempotency-key.ts";
import { Refusal } from "./refusal.ts";
import type { ReplyWriter } from "./reply-writer.ts";
import type { HttpReply, HttpRequest } from "./route.ts";

const RETRY_AFTER_MS = 1000;

/** What unwinds from the transaction to the door: the reply that was kept for a request that is here again. */
class Replay {
  readonly of: RequestOnce;
  readonly reply: HttpReply;

  constructor(of: RequestOnce, reply: HttpReply) {
    this.of = of;
    this.reply = reply;
  }
}

/** A request's promise of a single effect, by its `Idempotency-Key`. */
export class RequestOnce implements OnceDoor<unknown> {
  readonly #request: HttpRequest;
  readonly #write: ReplyWriter;
  readonly #claim: RequestClaim | undefined;
  #wasTaken = false;

  /** Throws `invalid` when the key is none. */
  constructor(request: HttpRequest, body: unknown, write: ReplyWriter) {
    this.#request = request;
    this.#write = write;
    this.#claim = claimOf(request, body);
  }

  replying<Result>(toReply: (result: Result) => unknown): Once<Result> {
    return {
      take: () => {
        this.#wasTaken = true;
        return this.#claim;
      },
      encode: (result) => JSON.stringify(this.#write(this.#request, toReply(result))),
      replay: (encoded) => {
        throw new Replay(this, JSON.parse(encoded) as HttpReply);
      },
      refuseMismatch: () => {
        throw new Refusal(422, "this idempotency key was used for another request: take a new key");
      },
      refuseBusy: () => {
        const message = "the first request with this idempotency key is still under way";
        throw new AppError("conflict", message, { retryAfterMs: RETRY_AFTER_MS });
      },
    };
  }

  /** Runs a handler, and gives what it gives as a reply, or the reply that was kept. Throws `internal` when nothing took the promise. */
  async run(handle: () => Promise<unknown>): Promise<HttpReply> {
    try {
      const reply = this.#write(this.#request, await handle());
      if (!this.#wasTaken) throw new AppError("internal", "no transaction took the promise of a single effect");
      return reply;
    } catch (thrown) {
      if (!(thrown instanceof Replay) || thrown.of !== this) throw thrown;
      const { reply } = thrown;
      return { ...reply, headers: { ...reply.headers, "idempotency-replayed": "true" } };
    }
  }
}

function claimOf(
  { method, endpoint, path, query, headers, principal }: HttpRequest,
  body: unknown,
): RequestClaim | undefined {
  const key = parseIdempotencyKey(headers["idempotency-key"]);
  if (key === undefined) return undefined;
  const content = `${method} ${path}?${query}\n${canonicalJson(body)}`;
  const fingerprint = createHash("sha256").update(content).digest("base64url");
  return { kind: "request", principal: principal ?? "", operation: `${method} ${endpoint}`, key, fingerprint };
}

/** JSON whose properties are in order, so that a client may send them in any. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) => (isRecord(part) ? sorted(part) : part)) ?? "";
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function sorted(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).sort(([one], [other]) => (one < other ? -1 : 1)));
}
