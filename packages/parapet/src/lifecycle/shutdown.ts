import { CancelableContext, orDone, withTimeout } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import type { Logger } from "../log/index.ts";
import type { Aborted, Component } from "./component.ts";
import { FLUSH_MS } from "./exit.ts";
import type { ShutdownLimits } from "./shutdown-limits.ts";

const STOP_MS = 2000;

/** Drains components together, stops them right to left, never takes longer than its limits, and counts what was aborted. */
export class Shutdown {
  readonly #log: Logger;
  /** Everything. */
  readonly #all: CancelableContext;
  /** The wait for the drains. */
  readonly #wait: CancelableContext;
  /** What the drains are given. */
  readonly #work: CancelableContext;
  readonly #begunAt = performance.now();
  readonly #aborted = new Map<string, number>();
  #hurried = false;

  constructor(log: Logger, limits: ShutdownLimits) {
    const now = this.#begunAt;
    this.#log = log;
    this.#all = new CancelableContext({ log, deadline: now + limits.totalMs });
    this.#wait = new CancelableContext({ parent: this.#all, deadline: now + limits.abandonMs });
    this.#work = new CancelableContext({ parent: this.#wait, deadline: now + limits.drainMs });
    exitIn(limits.totalMs);
  }

  /** Whether work was aborted, or the shutdown told to hurry. */
  get forced(): boolean {
    return this.#hurried || this.#aborted.size > 0;
  }

  async drain(components: readonly Component[]): Promise<void> {
    const drains = components.map((component) =>
      this.#count("component did not drain", component, () =>
        orDone(this.#wait, component.drain?.(this.#work) ?? Promise.resolve(undefined)),
      ),
    );
    await Promise.all(drains);
  }

  async stop(components: readonly Component[]): Promise<void> {
    for (const component of components.toReversed()) {
      await this.#count("component did not stop", component, () =>
        withTimeout(this.#all, STOP_MS, (ctx) => orDone(ctx, component.stop(ctx))),
      );
    }
  }

  /** Lowers the limits, counted from now. */
  hurry(limits: ShutdownLimits): void {
    this.#hurried = true;
    const reason = new AppError("canceled", "the shutdown was cut short");
    setTimeout(() => this.#work.cancel(reason), limits.drainMs);
    setTimeout(() => this.#wait.cancel(reason), limits.abandonMs);
    setTimeout(() => this.#all.cancel(reason), limits.totalMs);
    exitIn(limits.totalMs);
  }

  /** Logs how it went. `aborted` is by kind; its `components` failed, or were left behind, in one of their steps. */
  report(exitCode: number): void {
    if (this.forced) {
      this.#log.error("shutdown forced", { event: "shutdown.forced", aborted: Object.fromEntries(this.#aborted) });
    }
    const duration_ms = Math.round(performance.now() - this.#begunAt);
    this.#log.info("stopped", { duration_ms, exit_code: exitCode });
  }

  async #count(failure: string, component: Component, step: () => Promise<Aborted | undefined>): Promise<void> {
    try {
      for (const [kind, n] of Object.entries((await step()) ?? {})) this.#add(kind, n);
    } catch (error) {
      this.#log.warn(failure, { component: component.name, error });
      this.#add("components", 1);
    }
  }

  #add(kind: string, n: number): void {
    if (n > 0) this.#aborted.set(kind, (this.#aborted.get(kind) ?? 0) + n);
  }
}

// The last resort, whatever the steps do. It holds the process until then, which would else end quietly, and with
// another exit code, when a step never settles and nothing is left to wait for.
function exitIn(totalMs: number): void {
  setTimeout(() => process.exit(1), totalMs + FLUSH_MS);
}
