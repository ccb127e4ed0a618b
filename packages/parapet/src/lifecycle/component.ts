import type { Context } from "../context/index.ts";

/** What a step had to abort, counted by kind: `{ http: 3 }`. Zeros and absent kinds mean that nothing was. */
export type Aborted = Readonly<Record<string, number>>;

/**
 * Something with a lifetime. Constructors do no I/O; `run` starts components left to right and stops them right to left.
 */
export interface Component {
  readonly name: string;
  /** Starts. Never waits for a peer: a service whose database is down lives, and becomes ready when it was reached. */
  start(ctx: Context): Promise<void>;
  /**
   * Takes no new work and finishes what it has, within the context, which is also to hold the aborting of what does not
   * finish; all components drain together.
   */
  drain?(ctx: Context): Promise<Aborted | undefined>;
  /**
   * Lets go of everything, within the context; what does not stop in time is cut. Called on every component whose start
   * was called, also when that failed, or is still running under a context that is done.
   */
  stop(ctx: Context): Promise<Aborted | undefined>;
  /** Settles when the component can't go on; `run` then shuts the process down with exit code 1. */
  readonly failed?: Promise<Error>;
  /** Verbs that it adds to the process: `server.mjs migrate` runs `commands.migrate` and exits. */
  readonly commands?: Readonly<Record<string, (ctx: Context) => Promise<void>>>;
}

/** Something that a server's readiness depends on. Readiness latches: later outages answer 503 route by route. */
export interface Readiness {
  readonly name: string;
  /** Why it is not ready yet, for people, or undefined once it is. */
  notReadyBecause(): string | undefined;
}
