import { Socket } from "node:net";
import pg from "pg";
import { type Context, orDone, rootContext, type Unsubscribe, withTimeout } from "../context/index.ts";
import type { AppError } from "../errors/index.ts";
import type { Logger } from "../log/index.ts";
import { type ConnectionOptions, clientSettings, configureSession } from "./connection.ts";
import { driverClient } from "./driver-client.ts";
import { guardedClient } from "./guarded-client.ts";
import type { PoolStats } from "./instruments.ts";
import { Session, type SessionOptions } from "./session.ts";
import { databaseError, unavailable } from "./sqlstate.ts";

const ACQUIRE_TIMEOUT_MS = 1000;
// A cold start meets the burst of a whole load balancer with its connections still to make; with 2 it lost requests.
const WAITERS_A_SESSION = 10;
const IDLE_TIMEOUT_MS = 30_000;
/** The longest time from a connection that could not be made to the next try; each is random, as processes are not to try together. */
const RETRY_PAUSE_MS = 200;
/** Leaves time to report within the two seconds that a component has for its stop. */
const END_TIMEOUT_MS = 1800;
/** For the goodbyes alone, when no session is out: only a server that does not answer takes longer. */
const GOODBYE_TIMEOUT_MS = 500;

export interface SessionPoolOptions extends ConnectionOptions, SessionOptions {
  readonly url: string;
  /** The most connections; ten times as many callers may wait for one. */
  readonly max: number;
  readonly log: Logger;
}

/** Sessions to check out and give back: bounded in number, in waiters and in waiting time. */
export class SessionPool {
  readonly #options: SessionPoolOptions;
  readonly #pool: pg.Pool;
  readonly #sessions = new WeakMap<pg.Client, Session>();
  readonly #out = new Map<Session, pg.PoolClient>();
  readonly #sockets = new Set<Socket>();
  /** By what each caller that waits is told that no session will come. */
  readonly #waiting = new Set<(reason: AppError) => void>();
  /** When to try whether the server has another connection, after it had none; infinite while one tries. */
  #retryAt: number | undefined;
  /** Those opened before are given to nobody any more. */
  #renewedAt = 0;
  /** Callers that wait for a session or have one. */
  #claims = 0;
  #ending = false;

  constructor(options: SessionPoolOptions) {
    this.#options = options;
    this.#pool = new pg.Pool({
      ...clientSettings(options.url, options),
      Client: guardedClient as unknown as NonNullable<pg.PoolConfig["Client"]>,
      stream: () => this.#openSocket(),
      max: options.max,
      idleTimeoutMillis: IDLE_TIMEOUT_MS,
      onConnect: (client) => this.#configure(client as pg.Client),
    });
    // An idle connection broke, and the pool has dropped it already: whoever comes next gets another.
    this.#pool.on("error", (error) => options.log.debug("an idle database connection broke", { error }));
  }

  get stats(): PoolStats {
    return { total: this.#pool.totalCount, idle: this.#pool.idleCount, waiting: this.#claims - this.#out.size };
  }

  /**
   * Checks a session out; give it back by `release`. Throws `unavailable` when the server can't be reached, when too many
   * wait already, or when none became free within a second, and the context's reason when that ends first.
   */
  async acquire(ctx: Context): Promise<Session> {
    ctx.throwIfDone();
    if (this.#ending) throw unavailable("the database is being closed");
    if (this.#claims >= (1 + WAITERS_A_SESSION) * this.#options.max)
      throw unavailable("too many callers wait for a database connection");
    this.#claims++;
    try {
      return await this.#checkOut(ctx);
    } catch (thrown) {
      this.#claims--;
      throw databaseError(thrown, "connecting");
    }
  }

  /** Takes a session back, at once when it is idle, else when it has settled; one that can't be used again is dropped. */
  release(session: Session): void {
    if (session.idle) this.#giveBack(session, true);
    else void session.settled().then((usable) => this.#giveBack(session, usable));
  }

  /** Has every session from now on be one that is opened from now on. */
  renew(): void {
    this.#renewedAt = performance.now();
  }

  /** Waits up to 1.8 s for the sessions that are out, then cuts them; gives the number that it cut. */
  async end(ctx: Context): Promise<number> {
    if (this.#ending) return 0;
    this.#ending = true;
    const ended = this.#pool.end();
    const limitMs = this.#out.size === 0 ? GOODBYE_TIMEOUT_MS : END_TIMEOUT_MS;
    try {
      await withTimeout(ctx, limitMs, (ctx) => orDone(ctx, ended));
      return 0;
    } catch {
      const cut = this.#out.size;
      for (const session of this.#out.keys()) session.destroy();
      for (const socket of this.#sockets) socket.destroy();
      return cut;
    }
  }

  #checkOut(ctx: Context): Promise<Session> {
    return new Promise((resolve, reject) => {
      let state: "waiting" | "gave up" | "answered" = "waiting";
      let off: Unsubscribe | undefined;
      const giveUp = (reason: AppError) => {
        state = "gave up";
        this.#waiting.delete(giveUp);
        reject(reason);
      };
      const timer = setTimeout(
        () => giveUp(unavailable("no database connection became free in time")),
        ACQUIRE_TIMEOUT_MS,
      );
      off = ctx.onDone(giveUp);
      this.#waiting.add(giveUp);
      const isOver = () => state !== "waiting";
      const connect = () =>
        this.#connect(isOver, (error, client, giveBack) => {
          // Without a way back it is no connection that failed: the driver's queue gave up, after us, or the pool has ended.
          const isFailure = client === undefined && giveBack !== undefined;
          if (error && isFailure) this.#failed(error);
          const isOutdated = client !== undefined && this.#isOutdated(client);
          if (state === "waiting" && isOutdated) giveBack(true);
          if (state === "waiting" && (isOutdated || isFailure)) return connect();
          clearTimeout(timer);
          off?.();
          this.#waiting.delete(giveUp);
          const before = state;
          state = "answered";
          if (client === undefined) reject(error);
          // The driver answers twice when the server goes on with a login after an error.
          else if (before === "answered") giveBack(true);
          // Not from within its release, which goes on to the next in the queue: a thousand who gave up would be as many frames.
          else if (before === "gave up") process.nextTick(giveBack);
          else resolve(this.#checkedOut(client));
        });
      connect();
    });
  }

  /** Takes a session that is free, or makes one, or waits for one of those that there are. */
  #connect(isOver: () => boolean, done: Parameters<pg.Pool["connect"]>[0]): void {
    if (isOver()) return;
    const { options, idleCount, totalCount } = this.#pool;
    const pauseMs = (this.#retryAt ?? 0) - performance.now();
    if (totalCount === 0 && pauseMs > 0)
      return void setTimeout(() => this.#connect(isOver, done), Math.min(pauseMs, RETRY_PAUSE_MS));
    const isRetry = this.#retryAt !== undefined && pauseMs <= 0 && idleCount === 0 && totalCount < this.#options.max;
    if (isRetry) {
      this.#retryAt = Number.POSITIVE_INFINITY;
      options.max = totalCount + 1;
    }
    this.#pool.connect(done);
    if (isRetry) options.max = 0;
  }

  /** No connection could be made. Whoever waits is served by those that there are, and hears so when there are none. */
  #failed(error: Error): void {
    this.#retryAt = performance.now() + Math.random() * RETRY_PAUSE_MS;
    this.#pool.options.max = 0;
    if (this.#pool.totalCount > 0) return;
    for (const giveUp of this.#waiting) giveUp(databaseError(error, "connecting"));
  }

  #isOutdated(client: pg.PoolClient): boolean {
    return this.#sessionOf(client).openedAt < this.#renewedAt;
  }

  #checkedOut(client: pg.PoolClient): Session {
    const session = this.#sessionOf(client);
    this.#out.set(session, client);
    return session;
  }

  #giveBack(session: Session, usable: boolean): void {
    const client = this.#out.get(session);
    if (client === undefined) return;
    this.#out.delete(session);
    this.#claims--;
    // Those in the driver's queue wait for the last one in vain: one in its place is for them to try.
    if (!usable && this.#pool.totalCount === 1 && this.#retryAt !== undefined) this.#pool.options.max = 1;
    client.release(!usable);
  }

  async #configure(client: pg.Client): Promise<void> {
    const session = this.#sessionOf(client);
    await configureSession(rootContext(this.#options.log), (ctx, query) => session.run(ctx, query), this.#options);
    this.#retryAt = undefined;
    this.#pool.options.max = this.#options.max;
  }

  #sessionOf(client: pg.Client): Session {
    let session = this.#sessions.get(client);
    if (session === undefined) {
      session = new Session(driverClient(client), this.#options);
      this.#sessions.set(client, session);
    }
    return session;
  }

  #openSocket(): Socket {
    const socket = new Socket();
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    return socket;
  }
}
