import type { Socket } from "node:net";
import pg from "pg";
import { type Context, orDone, rootContext, withTimeout } from "../context/index.ts";
import type { AppError } from "../errors/index.ts";
import type { Logger } from "../log/index.ts";
import { type Bulkhead, createBulkhead } from "../resilience/index.ts";
import { type ConnectionOptions, clientSettings, configureSession } from "./connection.ts";
import { driverClient } from "./driver-client.ts";
import { guardedSocket } from "./guarded-socket.ts";
import type { PoolStats } from "./instruments.ts";
import { Session, type SessionOptions } from "./session.ts";
import { databaseError, unavailable } from "./sqlstate.ts";

const ACQUIRE_TIMEOUT_MS = 1000;
// A cold start meets the burst of a whole load balancer with its connections still to make; with 2 it lost requests.
const WAITERS_A_SESSION = 10;
const IDLE_TIMEOUT_MS = 30_000;
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

/** Who waits for a session. */
interface Borrower {
  resolve(session: Session): void;
  reject(reason: unknown): void;
}

/** A session that is out. */
interface Loan {
  readonly client: pg.PoolClient;
  givenBack(): void;
}

/** Sessions to check out and give back: bounded in number, in waiters and in waiting time. */
export class SessionPool {
  readonly #options: SessionPoolOptions;
  readonly #pool: pg.Pool;
  readonly #sessions = new WeakMap<pg.Client, Session>();
  readonly #out = new Map<Session, Loan>();
  readonly #sockets = new Set<Socket>();
  /** One for each connection that may be: the driver's pool is asked only for what it can give. */
  readonly #places: Bulkhead;
  /** Callers that have a place and wait for its connection. */
  #connecting = 0;
  #ending = false;

  constructor(options: SessionPoolOptions) {
    this.#options = options;
    const queue = WAITERS_A_SESSION * options.max;
    this.#places = createBulkhead({ name: "database", limit: options.max, queue, maxWaitMs: ACQUIRE_TIMEOUT_MS });
    this.#pool = new pg.Pool({
      ...clientSettings(options.url, options),
      stream: () => this.#openSocket(),
      max: options.max,
      idleTimeoutMillis: IDLE_TIMEOUT_MS,
      onConnect: (client) => this.#configure(client as pg.Client),
    });
    // An idle connection broke, and the pool has dropped it already: whoever comes next gets another.
    this.#pool.on("error", (error) => options.log.debug("an idle database connection broke", { error }));
  }

  get stats(): PoolStats {
    const waiting = this.#places.waiting + this.#connecting;
    return { total: this.#pool.totalCount, idle: this.#pool.idleCount, waiting };
  }

  /**
   * Checks a session out; give it back by `release`. Throws `unavailable` when the server can't be reached, when too many
   * wait already, or when none became free within a second, and the context's reason when that ends first.
   */
  acquire(ctx: Context): Promise<Session> {
    const giveUpAt = performance.now() + ACQUIRE_TIMEOUT_MS;
    // The place is kept until the session is given back, whatever becomes of who asked for it.
    return new Promise((resolve, reject) => {
      this.#places.run(ctx, (ctx) => this.#lend(ctx, giveUpAt, { resolve, reject })).catch(reject);
    });
  }

  /** Takes a session back, at once when it is idle, else when it has settled; one that can't be used again is dropped. */
  release(session: Session): void {
    if (session.idle) this.#giveBack(session, true);
    else void session.settled().then((usable) => this.#giveBack(session, usable));
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

  /** Connects, hands the session over and ends when it is back. Who has given up by then leaves it to the next. */
  async #lend(ctx: Context, giveUpAt: number, { resolve, reject }: Borrower): Promise<void> {
    if (this.#ending) throw unavailable("the database is being closed");
    let hasGivenUp = false;
    const giveUp = (reason: AppError) => {
      hasGivenUp = true;
      reject(reason);
    };
    const tooLate = () => giveUp(unavailable("no database connection became free in time"));
    const timer = setTimeout(tooLate, giveUpAt - performance.now());
    const off = ctx.onDone(giveUp);
    this.#connecting++;
    const client = await this.#connect().finally(() => {
      this.#connecting--;
      clearTimeout(timer);
      off();
    });
    if (hasGivenUp) return client.release();
    const session = this.#sessionOf(client);
    await new Promise<void>((givenBack) => {
      this.#out.set(session, { client, givenBack });
      resolve(session);
    });
  }

  #connect(): Promise<pg.PoolClient> {
    return new Promise((resolve, reject) => {
      let isAnswered = false;
      this.#pool.connect((error, client, giveBack) => {
        // The driver answers twice when the server goes on with a login after an error.
        if (isAnswered) return giveBack(true);
        isAnswered = true;
        if (client === undefined) reject(databaseError(error, "connecting"));
        else resolve(client);
      });
    });
  }

  #giveBack(session: Session, usable: boolean): void {
    const loan = this.#out.get(session);
    if (loan === undefined) return;
    this.#out.delete(session);
    loan.client.release(!usable);
    loan.givenBack();
  }

  #configure(client: pg.Client): Promise<void> {
    const session = this.#sessionOf(client);
    return configureSession(rootContext(this.#options.log), (ctx, query) => session.run(ctx, query), this.#options);
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
    const socket = guardedSocket();
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    return socket;
  }
}
