import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { CancelableContext } from "../context/index.ts";
import { AppError, toAppError } from "../errors/index.ts";
import type { Access } from "./access-log.ts";
import type { Connection } from "./connection.ts";
import { callerBudgetMs, LEAST_BUDGET_MS } from "./deadline-headers.ts";
import type { Door } from "./door.ts";
import { assertHead } from "./head.ts";
import { OTHER } from "./http-metrics.ts";
import { CLIENT_CLOSED_REQUEST, toProblemReply } from "./problem.ts";
import { Refusal } from "./refusal.ts";
import { replyFields } from "./reply-fields.ts";
import { RequestBody } from "./request-body.ts";
import type { HandledRoute, HttpReply, HttpRequest, RawRoute } from "./route.ts";
import { routeOf } from "./router.ts";
import { toTarget } from "./target.ts";

/** What an exchange is made of. */
export interface ExchangeParts {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly connection: Connection;
  /** Called when the answer is out, or will never be, and the handler is done. */
  readonly onOver: (exchange: Exchange) => void;
}

// Visible ASCII without quotes and such: safe in a header, a log line and a shell.
const REQUEST_ID = /^[A-Za-z0-9._:/+=@-]{1,128}$/;

// One for all, since an error costs its stack trace; what listens this late is no longer waited for.
const ANSWERED = new AppError("canceled", "the request is answered");

/** One request and its answer: from the head to the last byte, and until the handler is done with it. */
export class Exchange implements HttpRequest {
  readonly id: string;
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  endpoint = OTHER;
  path = "";
  query = "";
  params: Readonly<Record<string, string | undefined>> = {};
  principal: string | undefined;

  readonly #door: Door;
  readonly #connection: Connection;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #body: RequestBody;
  readonly #onOver: (exchange: Exchange) => void;
  readonly #startedAt = performance.now();
  #ctx: CancelableContext | undefined;
  #status: number | undefined;
  #answeredAt: number | undefined;
  #isQuiet = false;
  #isAborted = false;
  #isHandling = true;
  #isClosed = false;

  constructor(door: Door, { request, response, connection, onOver }: ExchangeParts) {
    this.#door = door;
    this.#connection = connection;
    this.#request = request;
    this.#response = response;
    this.#onOver = onOver;
    this.id = toRequestId(request.headers["x-request-id"]);
    this.method = request.method ?? "";
    this.headers = request.headers;
    this.#body = new RequestBody(request, response);
    door.metrics.requestStarted();
    response.on("close", () => this.#close());
    // A raw listener that writes after its end would else end the process.
    response.on("error", (error) => this.#fail(toAppError(error)));
  }

  /** Tells whether bytes of the request are still to come. */
  get isArriving(): boolean {
    return this.#body.isArriving;
  }

  /** Tells whether it was told to stop. */
  get isAborted(): boolean {
    return this.#isAborted;
  }

  /** When the whole answer was handed to the connection, on `performance.now()`'s clock; undefined before. */
  get answeredAt(): number | undefined {
    return this.#answeredAt;
  }

  /** Finds the route, runs it and answers, whatever happens. Never throws. */
  async run(): Promise<void> {
    try {
      // Its caller may have left since it began, or it was told to stop.
      const reply = this.#isOpen ? await this.#dispatch() : undefined;
      if (reply !== undefined) this.#answer(reply);
    } catch (thrown) {
      this.#fail(this.#translate(thrown));
    } finally {
      this.#isHandling = false;
      this.#endWhenOver();
    }
  }

  /** Tells a raw listener that it may write on. */
  drained(): void {
    this.#response.emit("drain");
  }

  /** Answers with the reason, cuts an answer that is half out, and tells the handler to stop. */
  abort(reason: AppError): void {
    this.#isAborted = true;
    this.#fail(reason);
    this.#ctx?.cancel(new AppError("canceled", reason.message));
  }

  get hasBody(): boolean {
    return this.#body.exists;
  }

  readBody(maxBytes: number = this.#door.maxBodyBytes): Promise<Buffer> {
    return this.#body.read(maxBytes);
  }

  get #isOpen(): boolean {
    return this.#status === undefined && !this.#isClosed && !this.#response.headersSent;
  }

  #dispatch(): HttpReply | undefined | Promise<HttpReply | undefined> {
    assertHead(this.#request);
    const target = toTarget(this.#request);
    if (target.path === "*") return { status: 204 };
    this.path = target.path;
    this.query = target.query;
    const { endpoint, params } = this.#door.router.find(target);
    this.endpoint = endpoint.template;
    this.params = params;
    if (endpoint.raw !== undefined) return this.#runRaw(endpoint.raw);
    if (this.method === "OPTIONS") return this.#door.cors.toPreflightReply(this.headers, endpoint.allow);
    return this.#runHandler(routeOf(endpoint, this.method));
  }

  #runHandler({ handler, timeoutMs = this.#door.budgetMs, quiet }: HandledRoute): Promise<HttpReply> {
    this.#isQuiet = quiet === true;
    return handler(this.#begin(this.#withinCallerBudget(timeoutMs)), this);
  }

  /** Throws `timeout` when the caller will have given up before an answer can be there. */
  #withinCallerBudget(budgetMs: number): number {
    const callerMs = callerBudgetMs(this.headers, this.#door.metrics.deadlineHeaderInvalid);
    if (callerMs < LEAST_BUDGET_MS) {
      throw new Refusal(504, "the deadline that the request came with leaves no time", { code: "timeout" });
    }
    return Math.min(budgetMs, callerMs);
  }

  async #runRaw({ listener }: RawRoute): Promise<undefined> {
    this.#begin(this.#door.budgetMs);
    this.#response.setHeader("x-request-id", this.id);
    if (this.#isLast()) this.#response.setHeader("connection", "close");
    this.#body.continue();
    // An async listener's failure would else be nobody's, and end the process.
    await listener(this.#request, this.#response);
  }

  #begin(budgetMs: number): CancelableContext {
    const ctx = new CancelableContext({
      log: this.#door.log,
      fields: { request_id: this.id },
      deadline: this.#startedAt + budgetMs,
    });
    this.#ctx = ctx;
    ctx.onDone((reason) => {
      if (this.#isOpen) this.#fail(this.#body.isAwaited ? arrivedTooLate() : reason);
    });
    return ctx;
  }

  /** Answers with an error, unless there is an answer already. */
  #fail(error: AppError): void {
    if (this.#isOpen) this.#answerProblem(error);
    else this.#failLate(error);
  }

  #answerProblem(error: AppError): void {
    const reply = toProblemReply(error, this.id);
    // A refusal is the client's doing, whatever its status.
    if (reply.status >= 500 && !(error instanceof Refusal)) this.#logError("request failed", error);
    this.#answer(reply);
  }

  #failLate(error: AppError): void {
    if (error.code === "internal") this.#logError("handler failed when its request was over", error);
    // A raw listener's half-sent answer can't be made whole.
    if (!this.#response.writableEnded) this.#response.destroy();
  }

  #answer(reply: HttpReply): void {
    if (!this.#isOpen) return;
    const cors = this.#door.cors.toHeaders(this.headers, reply.headers?.vary);
    const own = { requestId: this.id, cors, isLast: this.#isLast(reply.headers) };
    this.#response.writeHead(reply.status, replyFields(reply, own));
    this.#status = reply.status;
    this.#response.end(reply.body);
    this.#answeredAt = performance.now();
  }

  /** Tells whether the connection ends with this answer, and if so lets nothing follow it. */
  #isLast(headers?: HttpReply["headers"]): boolean {
    const isLast =
      this.#body.blocksConnection ||
      this.#isAborted ||
      headers?.connection === "close" ||
      (this.#door.isDraining() && !this.#connection.hasWaiting);
    if (isLast) this.#connection.closesAfterAnswer();
    return isLast;
  }

  /** What was thrown, as one of ours. What ends with a signal may throw an `AbortError`; the context knows why it did. */
  #translate(thrown: unknown): AppError {
    const reason = this.#ctx?.done;
    const isAbort = reason !== undefined && thrown instanceof Error && thrown.name === "AbortError";
    return isAbort ? reason : toAppError(thrown);
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const isWhole = this.#response.writableFinished;
    this.#ctx?.cancel(isWhole ? ANSWERED : new AppError("canceled", "the caller is gone"));
    this.#report(isWhole);
    this.#connection.answered();
    this.#endWhenOver();
  }

  #report(isWhole: boolean): void {
    const { method, endpoint, path } = this;
    const status = this.#status ?? (this.#response.headersSent ? this.#response.statusCode : CLIENT_CLOSED_REQUEST);
    const seconds = (performance.now() - this.#startedAt) / 1000;
    this.#door.metrics.requestEnded({ method, endpoint, status, seconds });
    const access: Access = { requestId: this.id, method, endpoint, path, status, seconds, isCut: !isWhole };
    if (this.#isQuiet) this.#door.accessLog.writeQuiet(access);
    else this.#door.accessLog.write(access);
  }

  #logError(msg: string, error: AppError): void {
    this.#door.log.error(msg, { request_id: this.id, endpoint: this.endpoint, error });
  }

  #endWhenOver(): void {
    if (this.#isClosed && !this.#isHandling) this.#onOver(this);
  }
}

function arrivedTooLate(): Refusal {
  return new Refusal(408, "the body did not arrive in time", { code: "timeout", headers: { connection: "close" } });
}

function toRequestId(sent: string | string[] | undefined): string {
  return typeof sent === "string" && REQUEST_ID.test(sent) ? sent : randomUUID();
}
