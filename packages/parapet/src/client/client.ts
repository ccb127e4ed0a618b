import { type Context, withTimeout } from "../context/index.ts";
import type { Api, Operation, ReplyOf } from "../contract/index.ts";
import { AppError, hasCode, toAppError } from "../errors/index.ts";
import type { Aborted, Component } from "../lifecycle/index.ts";
import type { Logger } from "../log/index.ts";
import { metrics as processMetrics, type Registry } from "../metrics/index.ts";
import {
  type Breaker,
  type Bulkhead,
  createBreaker,
  createBulkhead,
  createRetry,
  createRetryBudget,
  createTimeout,
} from "../resilience/index.ts";
import { type Instruments, instrumentsOf } from "./instruments.ts";
import { type AnyCall, type CallOf, deadlineHeaders, OperationCodec } from "./operation-call.ts";
import { outOfContract, refusedAnswer } from "./refused-answer.ts";
import type { Transport, TransportRequest } from "./transport.ts";
import { undiciTransport } from "./undici-transport.ts";

type CallArguments<Call> = Record<never, never> extends Call ? [call?: Call] : [call: Call];

/** A function for each operation of a contract. */
export type OperationsOf<A extends Api> = {
  readonly [Name in keyof A["operations"]]: A["operations"][Name] extends Operation<infer O>
    ? (ctx: Context, ...call: CallArguments<CallOf<O>>) => Promise<ReplyOf<O>>
    : never;
};

/** A client of a service: its operations, and its connections as a component. */
export type Client<A extends Api> = OperationsOf<A> & Component;

interface CommonOptions {
  readonly log: Logger;
  /** Where to count; the process-wide registry by default. */
  readonly metrics?: Registry;
  /** How long a call may take with all its attempts, in milliseconds: 2,000 by default, or what the operation itself declares. */
  readonly timeoutMs?: number;
}

/** Where the service is: a URL, or a transport of one's own. */
export type ClientOptions = CommonOptions & ({ readonly baseUrl: string } | { readonly transport: Transport });

const DEFAULT_TIMEOUT_MS = 2000;
/** Kept back from the caller's deadline, so that there is time to say that nothing came. */
const MARGIN_MS = 50;
/** With less there is no point in asking. */
const LEAST_MS = 5;
/** An attempt with less than this part of the whole time was cut short by its caller, or is a last one: that it failed is no sign. */
const FAIR_SHARE = 1 / 8;
const CONNECTIONS = 32;
const WAITING = 64;
const MAX_WAIT_MS = 250;
const MAX_REPLY_BYTES = 1024 ** 2;

/**
 * Makes the client of a contract. Each call has a deadline, which the service is told, and throws what the service answers as the same error
 * (`not_found`, `conflict`, …), or:
 *
 * - `timeout`: no answer in time; what could be asked again was.
 * - `unavailable`: it can't be reached, answers nonsense, fails, or was so often lately that it is not asked now; or too many wait.
 *
 * With the outcome unknown (`isOutcomeUnknown`) where a change may have been made. Throws `internal` for a URL that is none and for
 * operations that have a component's names.
 */
export function createClient<A extends Api>(api: A, options: ClientOptions): Client<A> {
  const caller = new ServiceCaller(api.name, options);
  const component = {
    name: `client ${api.name}`,
    start: () => caller.start(),
    stop: () => caller.stop(),
  } satisfies Component;
  const operations = Object.entries(api.operations).map(([name, operation]) => {
    if (name in component)
      throw new AppError("internal", "an operation can't be named so", { fields: { operation: name } });
    const codec = new OperationCodec(name, operation);
    return [name, (ctx: Context, call: AnyCall = {}) => caller.call(ctx, codec, call)];
  });
  return { ...Object.fromEntries(operations), ...component } as Client<A>;
}

class ServiceCaller {
  readonly #service: string;
  readonly #options: ClientOptions;
  readonly #instruments: Instruments;
  readonly #breaker: Breaker;
  readonly #bulkhead: Bulkhead;
  readonly #budget = createRetryBudget();
  readonly #open: () => Promise<Transport>;
  #transport: Promise<Transport> | undefined;
  #underWay = 0;

  constructor(service: string, options: ClientOptions) {
    const { log, metrics = processMetrics } = options;
    this.#service = service;
    this.#options = options;
    this.#instruments = instrumentsOf(metrics);
    const isOpen = this.#instruments.breakerOpen.with({ service });
    isOpen.set(0);
    const onChange = (state: string) => {
      isOpen.set(state === "closed" ? 0 : 1);
      if (state === "open") log.warn("a dependency does not answer", { dependency: service });
      if (state === "closed") log.info("a dependency answers again", { dependency: service });
    };
    this.#breaker = createBreaker({ name: service, onChange });
    this.#bulkhead = createBulkhead({ name: service, limit: CONNECTIONS, queue: WAITING, maxWaitMs: MAX_WAIT_MS });
    this.#open = "transport" in options ? async () => options.transport : opening(options.baseUrl);
  }

  async start(): Promise<void> {
    this.#transport ??= this.#open();
    await this.#transport;
  }

  async stop(): Promise<Aborted> {
    const aborted = this.#underWay;
    await (await this.#transport)?.close();
    return { calls: aborted };
  }

  async call(ctx: Context, codec: OperationCodec, call: AnyCall): Promise<unknown> {
    const labels = { service: this.#service, operation: codec.name };
    const count = (result: string) => this.#instruments.calls.with({ ...labels, result }).inc();
    const startedAt = performance.now();
    this.#underWay++;
    try {
      const reply = await this.#within(ctx, codec, call);
      count("ok");
      return reply;
    } catch (thrown) {
      count(toAppError(thrown).code);
      throw thrown;
    } finally {
      this.#underWay--;
      this.#instruments.duration.with(labels).observe((performance.now() - startedAt) / 1000);
    }
  }

  /** Within the caller's deadline. That one says nothing of the service, whose breaker is told of no other. */
  async #within(ctx: Context, codec: OperationCodec, call: AnyCall): Promise<unknown> {
    const leftMs = ctx.remainingMs() - MARGIN_MS;
    if (leftMs < LEAST_MS) throw new AppError("timeout", "the deadline leaves no time to ask another service");
    const asked: Asked = { codec, request: codec.toRequest(call), mayHaveHappened: false };
    try {
      return await withTimeout(ctx, leftMs, (ctx) =>
        this.#bulkhead.run(ctx, (ctx) => (codec.isRepeatable ? this.#repeatedly(ctx, asked) : this.#once(ctx, asked))),
      );
    } catch (thrown) {
      throw asked.mayHaveHappened && codec.isRisky(call) ? withUnknownOutcome(thrown) : thrown;
    }
  }

  #timeoutMs({ codec }: Asked): number {
    return this.#options.timeoutMs ?? codec.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  }

  #once(ctx: Context, asked: Asked): Promise<unknown> {
    const timeout = createTimeout({ name: this.#service, timeoutMs: this.#timeoutMs(asked) });
    return this.#breaker.run(ctx, (ctx) => timeout.run(ctx, (ctx) => this.#attempt(ctx, asked)));
  }

  #repeatedly(ctx: Context, asked: Asked): Promise<unknown> {
    const name = this.#service;
    const totalMs = this.#timeoutMs(asked);
    const retries = this.#instruments.retries.with({ service: name, operation: asked.codec.name });
    const retry = createRetry({ budget: this.#budget, onRetry: () => retries.inc() });
    return createTimeout({ name, timeoutMs: totalMs }).run(ctx, (ctx) =>
      retry.run(ctx, (ctx) => {
        // Half of what is left, so that there is time for another.
        const timeout = createTimeout({ name, timeoutMs: ctx.remainingMs() / 2 });
        const attempt = (ctx: Context) => this.#attempt(ctx, asked);
        const isFair = ctx.remainingMs() / 2 >= totalMs * FAIR_SHARE;
        return isFair
          ? this.#breaker.run(ctx, (ctx) => timeout.run(ctx, attempt))
          : timeout.run(ctx, (ctx) => this.#breaker.run(ctx, attempt));
      }),
    );
  }

  async #attempt(ctx: Context, asked: Asked): Promise<unknown> {
    const { codec, request } = asked;
    this.#transport ??= this.#open();
    const transport = await this.#transport;
    const headers = { ...request.headers, ...deadlineHeaders(ctx) };
    const result = await transport.send(ctx, { ...request, headers });
    if (result.kind === "failure") {
      asked.mayHaveHappened ||= result.mayHaveArrived;
      throw ctx.done ?? notReached(this.#service, result.cause);
    }
    if (result.status !== codec.status) {
      const { error, mayHaveHappened } = refusedAnswer(this.#service, result);
      asked.mayHaveHappened ||= mayHaveHappened;
      throw error;
    }
    const read = codec.read(result.body);
    if ("reply" in read) return read.reply;
    asked.mayHaveHappened = true;
    throw outOfContract(this.#service, { status: result.status, broken: read.broken });
  }
}

/** What is asked in one call, with all its attempts. */
interface Asked {
  readonly codec: OperationCodec;
  readonly request: TransportRequest;
  /** One of them may have had its effect. */
  mayHaveHappened: boolean;
}

function notReached(dependency: string, cause: unknown): AppError {
  return new AppError("unavailable", "a dependency can't be reached", { cause, fields: { dependency } });
}

/** For who asked, as a commit whose answer was lost. */
function withUnknownOutcome(thrown: unknown): unknown {
  if (!hasCode(thrown, "unavailable", "timeout")) return thrown;
  const { code, message, fields } = thrown;
  return new AppError(code, message, { cause: thrown, fields: { ...fields, outcome: "unknown" } });
}

function opening(baseUrl: string): () => Promise<Transport> {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol) || url.search !== "" || url.username !== "")
    throw new AppError("internal", "a client needs the URL of its service, http or https, without query and user");
  return () => undiciTransport({ baseUrl: url, connections: CONNECTIONS, maxReplyBytes: MAX_REPLY_BYTES });
}
