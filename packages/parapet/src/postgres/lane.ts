import { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type Context, orDone, rootContext } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import type { Logger } from "../log/index.ts";
import { type ConnectionOptions, clientSettings, configureSession, type RunQuery } from "./connection.ts";
import { type DriverClient, type DriverQuery, type DriverResult, driverClient, forget } from "./driver-client.ts";
import { guardedClient } from "./guarded-client.ts";
import {
  databaseError,
  endsSession,
  isForgotten,
  isLockedOut,
  isReadOnly,
  sqlstateOf,
  unavailable,
} from "./sqlstate.ts";

/** The longest that the server lets one statement of a lane run, in milliseconds: those behind it wait as long. */
export const LANE_STATEMENT_TIMEOUT_MS = 1000;
/** The longest that one may wait for a lock here, in milliseconds; it waits on elsewhere. */
export const LANE_LOCK_TIMEOUT_MS = 100;
/** How long a lane may be silent with statements under way before it is cut: the server's limit, and as long to say so. */
const SILENCE_MS = 2000;
/** How long a caller waits for a connection that is being made. */
const CONNECT_WAIT_MS = 1000;
/** How long a connection may work for callers that have all left. */
const DESERTED_MS = 100;
const MAX_IN_FLIGHT = 1000;
/** The longest wait between two attempts to connect; each is random, so that processes don't come back together. */
const RECONNECT_PAUSE_MS = 200;
const GOODBYE_TIMEOUT_MS = 500;

export interface LaneOptions extends ConnectionOptions {
  readonly url: string;
  readonly log: Logger;
  /** Called when a statement met a lock. */
  readonly onLockedOut?: () => void;
}

/**
 * One connection that many callers share: each statement is sent at once behind those under way (pipelining), and answers
 * come in their order. For short statements outside of transactions. None is ever canceled on the server, since a cancel
 * names a connection and would hit whatever runs there by then: a caller whose context ends leaves its answer behind, and a
 * connection that works only for such callers is cut.
 */
export class Lane {
  readonly #options: LaneOptions;
  #client: DriverClient | undefined;
  #connecting: Promise<DriverClient> | undefined;
  #socket: Socket | undefined;
  #pauseMs = 0;
  /** Callers that wait for the connection. */
  #waiting = 0;
  /** Statements whose answers are still to come. */
  #sent = 0;
  /** Those of them whose callers have left. */
  #abandoned = 0;
  /** Stands for the time since which all of them are abandoned. */
  #desertion: object | undefined;
  #answeredAt = 0;
  #watch: NodeJS.Timeout | undefined;
  #isHoldingBack = false;
  #isRetired = false;
  #isClosed = false;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#client !== undefined;
  }

  /** Statements under way, and callers that wait for the connection with theirs. */
  get inFlight(): number {
    return this.#waiting + this.#sent;
  }

  /**
   * Runs one statement. Throws the context's reason when that ends first, `unavailable` when the server can't be reached
   * within a second or too many statements are under way, or what `databaseError` makes of the answer.
   */
  async run(ctx: Context, query: DriverQuery): Promise<DriverResult> {
    ctx.throwIfDone();
    if (this.inFlight >= MAX_IN_FLIGHT) throw unavailable("too many statements are under way");
    // Without a turn of the event loop in between, so that statements of one turn travel together.
    return this.#client === undefined ? this.#runOnNew(ctx, query) : this.#send(ctx, this.#client, query);
  }

  /** Connects when it is not connected, with nobody waiting for that. */
  open(): void {
    if (this.#client === undefined && !this.#isClosed) this.#connected().catch(() => {});
  }

  /** Says goodbye to the server, for which it has half a second; whatever is under way fails as `unavailable`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const client = this.#client;
    const timer = setTimeout(() => this.#cut(), GOODBYE_TIMEOUT_MS);
    if (client === undefined) this.#cut();
    else await client.end().catch(() => {});
    clearTimeout(timer);
    clearTimeout(this.#watch);
  }

  /** Closes as soon as nothing is under way; nothing more may be run. */
  retire(): void {
    this.#isRetired = true;
    this.#closeWhenRetired();
  }

  async #runOnNew(ctx: Context, query: DriverQuery): Promise<DriverResult> {
    this.#waiting++;
    const giveUp = new AbortController();
    try {
      const client = await Promise.race([orDone(ctx, this.#connected()), tooLate(giveUp.signal)]);
      ctx.throwIfDone();
      return this.#send(ctx, client, query);
    } finally {
      giveUp.abort();
      this.#waiting--;
      this.#closeWhenRetired();
    }
  }

  #send(ctx: Context, client: DriverClient, query: DriverQuery): Promise<DriverResult> {
    return new Promise((resolve, reject) => {
      let hasLeft = false;
      // Before its caller can be counted among those who have left.
      if (this.#sent++ === 0) this.#watchSilence();
      const off = ctx.onDone((reason) => {
        hasLeft = true;
        this.#abandoned++;
        this.#cutWhenDeserted(client);
        reject(reason);
      });
      if (!hasLeft) this.#desertion = undefined;
      this.#holdBack(client);
      client.query(query, (error, result) => {
        off();
        this.#sent--;
        if (hasLeft) this.#abandoned--;
        if (this.#sent === 0) this.#desertion = undefined;
        this.#answeredAt = performance.now();
        this.#closeWhenRetired();
        if (!error) return resolve(result);
        if (isForgotten(error)) forget(client, query);
        if (isReadOnly(error)) this.#options.failover?.refused();
        if (isLockedOut(error)) this.#options.onLockedOut?.();
        // One of ours says that a row could not be read, and nothing about the connection.
        if (!(error instanceof AppError) && endsSession(sqlstateOf(error))) this.#lose(client);
        reject(databaseError(error, "in session"));
      });
    });
  }

  #connected(): Promise<DriverClient> {
    this.#throwIfClosed();
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #connect(): Promise<DriverClient> {
    const { url, log } = this.#options;
    const stream = () => {
      this.#socket = new Socket();
      return this.#socket;
    };
    await delay(this.#pauseMs);
    this.#throwIfClosed();
    try {
      const client = guardedClient({ ...clientSettings(url, this.#options), stream, pipeline: true });
      client.on("error", (error) => {
        log.debug("a shared database connection broke", { error });
        this.#lose(driverClient(client));
      });
      client.once("end", () => this.#lose(driverClient(client)));
      await client.connect();
      const run: RunQuery = (ctx, query) => this.#send(ctx, driverClient(client), query);
      await configureSession(rootContext(log), run, this.#options);
      this.#throwIfClosed();
      this.#pauseMs = 0;
      this.#client = driverClient(client);
      return this.#client;
    } catch (thrown) {
      this.#cut();
      this.#pauseMs = Math.random() * RECONNECT_PAUSE_MS;
      throw databaseError(thrown, "connecting");
    }
  }

  #closeWhenRetired(): void {
    if (this.#isRetired && this.inFlight === 0) void this.close();
  }

  #throwIfClosed(): void {
    if (this.#isClosed) throw unavailable("the database is being closed");
  }

  /** Lets go of a connection that is of no more use; the next statement makes another. */
  #lose(client: DriverClient): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    client.connection.stream.destroy();
  }

  #cut(): void {
    this.#client = undefined;
    this.#socket?.destroy();
  }

  /** Gathers what is sent in one go of the event loop into one write. */
  #holdBack({ connection: { stream } }: DriverClient): void {
    if (this.#isHoldingBack) return;
    this.#isHoldingBack = true;
    stream.cork();
    process.nextTick(() => {
      this.#isHoldingBack = false;
      stream.uncork();
    });
  }

  /** Nobody waits for what runs any more, and what runs does not end: the server ends it when the connection is gone. */
  #cutWhenDeserted(client: DriverClient): void {
    if (this.#abandoned < this.#sent) return;
    const desertion = {};
    this.#desertion = desertion;
    setTimeout(() => {
      if (this.#desertion === desertion) this.#lose(client);
    }, DESERTED_MS).unref();
  }

  /** One timer for all that is under way: a caller has its own deadline, the connection has this one. */
  #watchSilence(): void {
    this.#answeredAt = performance.now();
    this.#watch ??= setTimeout(() => this.#checkSilence(), SILENCE_MS).unref();
  }

  #checkSilence(): void {
    this.#watch = undefined;
    if (this.#sent === 0) return;
    const silentMs = performance.now() - this.#answeredAt;
    if (silentMs >= SILENCE_MS) this.#cut();
    else this.#watch = setTimeout(() => this.#checkSilence(), SILENCE_MS - silentMs).unref();
  }
}

async function tooLate(signal: AbortSignal): Promise<never> {
  await delay(CONNECT_WAIT_MS, undefined, { signal }).catch(() => {});
  throw unavailable("no database connection became free in time");
}
