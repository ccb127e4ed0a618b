import type { ServiceProcess } from "./service-process.ts";

const START_TIMEOUT_MS = 30_000;

/** One of several processes of a service, started anew whenever it was killed. */
export class Replica {
  readonly #start: () => ServiceProcess;
  #process: ServiceProcess;
  /** Where it listens; undefined while it does not, or is frozen. */
  url: string | undefined;

  constructor(start: () => ServiceProcess) {
    this.#start = start;
    this.#process = this.#next();
  }

  /** Waits for a line of the log. Throws when the process ends without it, or after 30 s. */
  async said(msg: string): Promise<void> {
    await this.#process.line(msg, START_TIMEOUT_MS);
  }

  async killAndRestart(): Promise<void> {
    await this.#end("SIGKILL");
    this.#process = this.#next();
  }

  /** Asks it to leave, and starts the next one when it has. Gives its exit code. */
  async leaveAndRestart(): Promise<number | null> {
    const code = await this.#end("SIGTERM");
    this.#process = this.#next();
    return code;
  }

  /** Freezes it, and gives what lets it go on. */
  freeze(): () => void {
    const { url } = this;
    this.url = undefined;
    this.#process.kill("SIGSTOP");
    return () => {
      this.#process.kill("SIGCONT");
      this.url = url;
    };
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    this.url = undefined;
    this.#process.kill(signal);
    return (await this.#process.exited).code;
  }

  #next(): ServiceProcess {
    const started = this.#start();
    started.line("listening").then(
      ({ port }) => {
        if (started === this.#process) this.url = `http://127.0.0.1:${port}`;
      },
      // Killed before it listened.
      () => {},
    );
    return started;
  }
}
