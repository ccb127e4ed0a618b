import { join } from "node:path";
import { AppError } from "parapet/errors";
import { Bell } from "./bell.ts";
import { CrashBackoff } from "./crash-backoff.ts";
import { type LiveBuild, LiveBundle } from "./live-bundle.ts";
import { settled } from "./poll.ts";
import { readiness } from "./readiness.ts";
import { ServiceProcess, shownEnd } from "./service-process.ts";
import { SourceWatcher } from "./source-watcher.ts";
import type { Terminal } from "./terminal.ts";
import type { Service } from "./workspace.ts";

/** A service and what it was given for a run. */
export interface PlacedService extends Service {
  readonly port: number;
  readonly databaseUrl: string;
  readonly amqpUrl: string;
  /** Where the other services are, by the names of the variables that say so: `USERS_URL`. */
  readonly neighbours: Readonly<Record<string, string>>;
  /** Where its bundle and whatever else is made of it goes. */
  readonly workDir: string;
}

export interface DevServiceOptions {
  readonly root: string;
  readonly service: PlacedService;
  /** The environment that its own is made from. */
  readonly env: NodeJS.ProcessEnv;
  readonly terminal: Terminal;
}

// Large tables take long; a migration that waits for a lock gives up by itself much earlier.
const MIGRATE_TIMEOUT_MS = 10 * 60_000;
// What `loadConfig` exits with: the same start gives the same end.
const EX_CONFIG = 78;

/** One service under development: built, migrated and run; and again after a change of its sources, or a crash. */
export class DevService {
  readonly #options: DevServiceOptions;
  readonly #name: string;
  readonly #outfile: string;
  readonly #bell = new Bell();
  readonly #tried = new Bell();
  readonly #backoff = new CrashBackoff();
  readonly #watcher: SourceWatcher;
  #changedAt: number | undefined = performance.now();
  #build: LiveBuild | undefined;
  #served: LiveBuild | undefined;
  #migratedPrint: string | undefined;
  #migration: ServiceProcess | undefined;
  #server: ServiceProcess | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: DevServiceOptions) {
    this.#options = options;
    this.#name = options.service.name;
    this.#outfile = join(options.service.workDir, "server.mjs");
    this.#watcher = new SourceWatcher({
      onChange: () => {
        this.#changedAt ??= performance.now();
        this.#bell.ring();
      },
      onError: (error) => this.#say(`changes may go unnoticed, a folder can't be watched: ${error.message}`),
    });
  }

  /** Settles when it was tried to run the service, whether that went well or not. */
  tried(): Promise<void> {
    return this.#tried.next();
  }

  /** Runs the service until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { root, service, terminal } = this.#options;
    const bundle = await LiveBundle.create({ root, service, outfile: this.#outfile, colour: terminal.colour });
    const wake = () => this.#bell.ring();
    signal.addEventListener("abort", wake);
    try {
      while (!signal.aborted) {
        await this.#catchUp(bundle, signal);
        this.#tried.ring();
        await this.#bell.next();
      }
    } finally {
      signal.removeEventListener("abort", wake);
      clearTimeout(this.#retry);
      this.#watcher.close();
      await this.#server?.stop();
      await bundle.close();
      this.#tried.ring();
    }
  }

  /** Ends its processes at once. */
  kill(): void {
    this.#migration?.kill();
    this.#server?.kill();
  }

  /** Brings what runs to what the sources say. What can't be brought there is shown, and what ran goes on. */
  async #catchUp(bundle: LiveBundle, signal: AbortSignal): Promise<void> {
    const startedAt = this.#changedAt ?? performance.now();
    try {
      if (this.#changedAt !== undefined) await this.#rebuild(bundle);
      if (this.#build === undefined || this.#isServed(this.#build)) return;
      await this.#migrate(this.#build, signal);
      await this.#restart(this.#build, signal, startedAt);
    } catch (thrown) {
      if (signal.aborted) return;
      if (!(thrown instanceof AppError) || thrown.code === "internal") throw thrown;
      this.#say(thrown.message);
      this.#say(
        this.#server?.isOver === false ? `${this.#name} runs on as it was` : `${this.#name} waits for a change`,
      );
    }
  }

  #isServed(build: LiveBuild): boolean {
    return this.#server?.isOver === false && this.#served?.print === build.print;
  }

  async #rebuild(bundle: LiveBundle): Promise<void> {
    this.#changedAt = undefined;
    // Watched before, so that no change during the build is lost, and after, because a build may take from new folders.
    this.#watcher.watch(bundle.folders());
    const build = await bundle.build();
    this.#watcher.watch(bundle.folders());
    if (build.print !== this.#build?.print) this.#backoff.reset();
    this.#build = build;
  }

  async #migrate(build: LiveBuild, signal: AbortSignal): Promise<void> {
    if (build.sqlPrint === this.#migratedPrint) return;
    const migration = this.#start(["migrate"]);
    this.#migration = migration;
    const stop = () => void migration.stop();
    signal.addEventListener("abort", stop);
    const end = await settled(migration.ended, MIGRATE_TIMEOUT_MS);
    signal.removeEventListener("abort", stop);
    signal.throwIfAborted();
    if (end?.code !== 0) {
      await migration.stop();
      throw new AppError(
        "unavailable",
        `${this.#name} could not be migrated: it ended with ${shownEnd(end)}, see above`,
      );
    }
    this.#migratedPrint = build.sqlPrint;
  }

  async #restart(build: LiveBuild, signal: AbortSignal, startedAt: number): Promise<void> {
    clearTimeout(this.#retry);
    await this.#server?.stop();
    const server = this.#start([]);
    this.#server = server;
    this.#served = build;
    void this.#mourn(server);
    const { port } = this.#options.service;
    const isObsolete = () => this.#changedAt !== undefined;
    const state = await readiness({ port, process: server, signal, isObsolete });
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(2);
    if (state === "ready") this.#say(`${this.#name} is ready on http://localhost:${port} (${seconds} s)`);
    if (state === "not ready")
      this.#say(`${this.#name} runs, but is not ready: http://localhost:${port}/readyz says why`);
  }

  /** Waits for the end of a server, and has it started again when that was a crash. */
  async #mourn(server: ServiceProcess): Promise<void> {
    const startedAt = performance.now();
    const end = await server.ended;
    if (server.wasAsked) return;
    if (end.code === EX_CONFIG) {
      this.#say(`${this.#name} can't start with this configuration, see above; it waits for a change`);
      return;
    }
    const waitMs = this.#backoff.next(performance.now() - startedAt);
    this.#say(`${this.#name} ended with ${shownEnd(end)}; it starts again in ${waitMs / 1000} s`);
    this.#retry = setTimeout(() => this.#bell.ring(), waitMs);
  }

  #start(args: readonly string[]): ServiceProcess {
    const { service, terminal } = this.#options;
    const env = {
      ...service.neighbours,
      ...this.#options.env,
      PORT: String(service.port),
      DATABASE_URL: service.databaseUrl,
      AMQP_URL: service.amqpUrl,
      // No balancer has to notice that this one leaves.
      DRAIN_DELAY_MS: this.#options.env.DRAIN_DELAY_MS ?? "0",
    };
    return new ServiceProcess({ name: this.#name, file: this.#outfile, args, env, terminal });
  }

  #say(text: string): void {
    this.#options.terminal.say(text);
  }
}
