import { type ChildProcess, spawn } from "node:child_process";
import { AppError } from "parapet/errors";
import { settled } from "./poll.ts";
import { signalProcess } from "./process-signals.ts";
import type { Terminal } from "./terminal.ts";

export interface ServiceProcessOptions {
  readonly name: string;
  /** The bundle. */
  readonly file: string;
  /** Its verb, none to serve. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly terminal: Terminal;
}

// A service without a lame duck drains in milliseconds; what takes longer hangs.
const STOP_TIMEOUT_MS = 10_000;
const LAST_LINES_MS = 500;

// The channel closes when the supervisor is gone, however it went: its services don't outlive it.
const GUARD = `data:text/javascript,${encodeURIComponent(
  'process.once("disconnect", () => process.kill(process.pid, "SIGTERM")); process.channel?.unref();',
)}`;

/** What a process ended with: an exit code, or the signal that ended it. */
export interface ServiceEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** An end as people read it: `code 1`, `SIGKILL`, or `no end in time`. */
export function shownEnd(end: ServiceEnd | undefined): string {
  if (end === undefined) return "no end in time";
  return end.signal ?? `code ${end.code}`;
}

/** A process of a service, in a group of its own, so that Ctrl-C in the terminal reaches it only through us. */
export class ServiceProcess {
  readonly #child: ChildProcess;
  readonly #pid: number;
  readonly ended: Promise<ServiceEnd>;
  readonly #name: string;
  readonly #terminal: Terminal;
  #asked = false;
  #over = false;

  constructor({ name, file, args, env, terminal }: ServiceProcessOptions) {
    this.#child = spawn(process.execPath, ["--enable-source-maps", "--import", GUARD, file, ...args], {
      env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    // A process that can't be started says so here too; the missing id tells it already.
    this.#child.on("error", () => {});
    if (this.#child.pid === undefined || this.#child.stdout === null || this.#child.stderr === null) {
      throw new AppError("unavailable", `no process could be started for ${name}`);
    }
    this.#pid = this.#child.pid;
    this.#name = name;
    this.#terminal = terminal;
    terminal.follow(name, this.#child.stdout);
    terminal.follow(name, this.#child.stderr);
    this.ended = this.#end();
  }

  /** Whether it was asked to stop, so that its end is no crash. */
  get wasAsked(): boolean {
    return this.#asked;
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** Asks it to stop, and kills it with all its children when it doesn't within 10 seconds. */
  async stop(): Promise<void> {
    this.#asked = true;
    if (!this.#over) signalProcess(this.#pid, "SIGTERM");
    if ((await settled(this.ended, STOP_TIMEOUT_MS)) !== undefined) return;
    this.#terminal.say(`${this.#name} did not stop within ${STOP_TIMEOUT_MS / 1000} s, and is killed`);
    this.kill();
    await settled(this.ended, STOP_TIMEOUT_MS);
  }

  /** Ends it and all its children at once. */
  kill(): void {
    if (!this.#over) signalProcess(-this.#pid, "SIGKILL");
  }

  async #end(): Promise<ServiceEnd> {
    const closed = new Promise<void>((resolve) => this.#child.once("close", () => resolve()));
    const end = await new Promise<ServiceEnd>((resolve) => {
      this.#child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    // What it left of its group would hold its port.
    this.kill();
    this.#over = true;
    // Its last lines are still on their way to the screen.
    await settled(closed, LAST_LINES_MS);
    return end;
  }
}
