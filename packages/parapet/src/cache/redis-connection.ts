import { createClient, ErrorReply } from "@redis/client";
import { type CancelableContext, type Context, rootContext, sleep } from "../context/index.ts";
import { AppError, hasCode } from "../errors/index.ts";
import type { Logger } from "../log/index.ts";
import { type Breaker, type BreakerState, createBreaker } from "../resilience/index.ts";
import { AnswerClock } from "./answer-clock.ts";
import type { Instruments, Operation } from "./instruments.ts";

/** What Redis said: a reply of whatever shape, or the first word of its refusal (`OOM`, `NOSCRIPT`). */
export type Answer = { readonly reply: unknown } | { readonly refusal: string };

export interface Command {
  /** What it counts as. */
  readonly operation: Operation;
  readonly args: readonly string[];
  /** To be sent after it when nobody waits for its answer any more: it may do what it was to do yet. */
  readonly undo?: readonly string[];
}

export interface ConnectionOptions {
  readonly url: string;
  /** How the connection names itself to Redis. */
  readonly service: string;
  readonly log: Logger;
  readonly instruments: Instruments;
  /** A key that was read changed; undefined when all did. */
  readonly onInvalidate: (key: string | undefined) => void;
}

/** For the whole of it: address, TCP, TLS, login. */
const CONNECT_TIMEOUT_MS = 500;
const OPERATION_TIMEOUT_MS = 100;
/** A network that swallows everything is noticed within a second, and with it that nobody can tell us of changes. */
const PING_INTERVAL_MS = 500;
const PING_TIMEOUT_MS = 500;
const STOP_TIMEOUT_MS = 400;

/** One connection to Redis, from its login to its end; what comes after it is another one, with another breaker. */
export class RedisConnection {
  readonly #client: ReturnType<typeof clientOf>;
  readonly #life: CancelableContext;
  readonly #breaker: Breaker;
  readonly #clock = new AnswerClock();
  readonly #instruments: Instruments;
  #shown: BreakerState = "closed";

  /** Connects to nothing yet. */
  constructor(options: ConnectionOptions) {
    const { log, instruments, onInvalidate } = options;
    this.#instruments = instruments;
    this.#life = rootContext(log);
    this.#breaker = createBreaker({
      name: "redis",
      onChange: (state) => this.#show(state),
      onRefused: () => instruments.refusals.inc(),
    });
    this.#client = clientOf(options);
    this.#client.on("invalidate", (key: Buffer | string | null) =>
      onInvalidate(key === null ? undefined : String(key)),
    );
    this.#client.on("error", (cause: unknown) => this.end(lost("the connection to redis was lost", cause)));
    this.#client.on("end", () => this.end(lost("the connection to redis was lost", undefined)));
    // One that comes about after it was given up.
    for (const event of ["connect", "ready"]) this.#client.on(event, () => this.#endAgain());
  }

  /** Connects within half a second. Throws `unavailable`. */
  async open(): Promise<void> {
    try {
      await this.#clock.answerOf(this.#life, CONNECT_TIMEOUT_MS, this.#login());
    } catch (cause) {
      const reason = lost("redis can't be reached", cause);
      this.end(reason);
      throw reason;
    }
  }

  /** Pings until the connection ends, and throws why: `unavailable`, or what `end` was told. */
  async watch(): Promise<never> {
    for (;;) {
      await sleep(this.#life, PING_INTERVAL_MS);
      try {
        await this.#clock.answerOf(this.#life, PING_TIMEOUT_MS, this.#client.sendCommand(["PING"]));
      } catch (cause) {
        // One that refuses has answered: it does so while it can't save, and still gives what it has.
        if (cause instanceof ErrorReply) continue;
        this.end(lost("redis did not answer a ping", cause));
      }
    }
  }

  /** Lets go of the connection, and of everybody who waits for an answer. The first reason stands. */
  end(reason: AppError): void {
    if (this.#life.done !== undefined) return;
    this.#life.cancel(reason);
    this.#show("closed");
    this.#client.destroy();
  }

  /** Ends the connection once what was asked is answered, within 400 ms. */
  async stop(ctx: Context, reason: AppError): Promise<void> {
    if (this.#life.done === undefined)
      await this.#clock.answerOf(ctx, STOP_TIMEOUT_MS, this.#client.close()).catch(() => {});
    this.end(reason);
  }

  /**
   * Sends a command. Throws `timeout` after 100 ms, `unavailable` when the connection is lost or the breaker is open, and the
   * context's reason when that ends first. The refusal `READONLY` ends the connection.
   */
  ask(ctx: Context, command: Command): Promise<Answer> {
    return this.#breaker.run(ctx, (ctx) => this.#timed(ctx, command));
  }

  async #timed(ctx: Context, { operation, args, undo }: Command): Promise<Answer> {
    const startedAt = performance.now();
    try {
      return { reply: await this.#clock.answerOf(ctx, OPERATION_TIMEOUT_MS, this.#client.sendCommand([...args])) };
    } catch (thrown) {
      if (undo !== undefined && !(thrown instanceof ErrorReply)) this.#client.sendCommand([...undo]).catch(() => {});
      return this.#refused(ctx, thrown);
    } finally {
      this.#instruments.operations.with({ operation }).observe((performance.now() - startedAt) / 1000);
    }
  }

  /** What Redis itself said is an answer, and a quick one; the rest is for the breaker. */
  #refused(ctx: Context, thrown: unknown): Answer {
    ctx.throwIfDone();
    const kind = kindOf(thrown);
    this.#instruments.errors.with({ kind }).inc();
    // A replica by now: whoever takes writes in its place is found by the name, on another connection.
    if (kind === "readonly") this.end(lost("redis takes no writes any more", thrown));
    if (thrown instanceof ErrorReply) return { refusal: kind.toUpperCase() };
    throw thrown instanceof AppError ? thrown : lost("the connection to redis was lost", thrown);
  }

  async #login(): Promise<void> {
    await this.#client.connect();
    // The driver asks for tracking; what we write ourselves we need not be told.
    await this.#client.sendCommand(["CLIENT", "TRACKING", "ON", "NOLOOP"]);
  }

  #endAgain(): void {
    if (this.#life.done !== undefined) this.#client.destroy();
  }

  #show(state: BreakerState): void {
    const { openBreakers } = this.#instruments;
    if (this.#shown === "closed" && state !== "closed") openBreakers.inc();
    if (this.#shown !== "closed" && state === "closed") openBreakers.dec();
    this.#shown = state;
  }
}

/** What Redis itself said, when a connection ended or did not come about for that. */
export function refusalOf(reason: unknown): string | undefined {
  if (reason instanceof ErrorReply) return reason.message;
  return reason instanceof AppError ? refusalOf(reason.cause) : undefined;
}

/** A client for one connection: when to connect again is ours to say. */
function clientOf({ url, service }: ConnectionOptions) {
  return createClient({
    url,
    name: service.replace(/[^!-~]/g, "_"),
    RESP: 3,
    emitInvalidate: true,
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: "disabled",
    // The driver's own limit costs four times what the command does, and does not hold for what was sent.
    commandOptions: { timeout: 0 },
    socket: { connectTimeout: CONNECT_TIMEOUT_MS, reconnectStrategy: false },
  });
}

function lost(message: string, cause: unknown): AppError {
  return new AppError("unavailable", message, { cause });
}

const KNOWN_REFUSALS = /^(OOM|READONLY|LOADING|NOAUTH|NOPERM|NOSCRIPT|WRONGTYPE|BUSY|MASTERDOWN|MISCONF)\b/;

function kindOf(thrown: unknown): string {
  if (thrown instanceof ErrorReply) return KNOWN_REFUSALS.exec(thrown.message)?.[0].toLowerCase() ?? "other";
  return hasCode(thrown, "timeout") ? "timeout" : "connection";
}
