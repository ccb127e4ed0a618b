import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { AppError, type ErrorCode } from "../errors/index.ts";
import { ServiceOutput } from "./service-output.ts";
import type { LogLine } from "./test-context.ts";
import type { TestScope } from "./test-scope.ts";

/**
 * Where stdout goes: a pipe that is read, a pipe that is read no further than the line that says `listening`, a pipe
 * whose reader is gone from the start, or a file by path or descriptor (`/dev/full`).
 */
export type StdoutTarget = "pipe" | "unread" | "closed" | { readonly file: string | number };

export interface ProcessOptions {
  /** What the process sees of the environment beside `PATH`; nothing of the test's own. `PORT` is 0 unless said. */
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments behind the main file: a verb. */
  readonly args?: readonly string[];
  readonly cwd?: string;
  /** `pipe` unless said. */
  readonly stdout?: StdoutTarget;
  /** How long it may live at most, in milliseconds: two minutes unless said. */
  readonly lifetimeMs?: number;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Milliseconds since the last `kill`, or since the start when there was none. */
  readonly ms: number;
}

/** A real process of a service. */
export interface ServiceProcess {
  readonly pid: number;
  /** What it logged to stdout, oldest first. */
  readonly lines: readonly LogLine[];
  readonly stdout: string;
  readonly stderr: string;
  /** Settles when it is gone and its output is read. It outlives neither its test nor its lifetime. */
  readonly exited: Promise<ProcessExit>;
  /** SIGTERM unless said. */
  kill(signal?: NodeJS.Signals): void;
  /** Waits for the first line with this message. Throws when the process ends without it, or after `timeoutMs` (15000). */
  line(msg: string, timeoutMs?: number): Promise<LogLine>;
}

/** The main file, TypeScript or bundled, or a whole command. */
export type ServiceMain = string | URL | readonly string[];

/** Starts the process and does not wait for anything: for verbs, and for what is expected to fail. */
export function startProcess(t: TestScope, main: ServiceMain, options: ProcessOptions = {}): ServiceProcess {
  const started = new OwnedProcess(main, options);
  t.after(async () => {
    started.kill("SIGKILL");
    await started.exited;
  });
  return started;
}

const LIFETIME_MS = 120_000;
const LINE_TIMEOUT_MS = 15_000;
// For output that a grandchild holds open.
const MAX_OUTPUT_LAG_MS = 1_000;

class OwnedProcess implements ServiceProcess {
  readonly pid: number;
  readonly exited: Promise<ProcessExit>;
  readonly #child: ChildProcess;
  readonly #changes = new EventEmitter();
  readonly #out: ServiceOutput;
  readonly #err: ServiceOutput;
  #since = performance.now();
  #hasExited = false;
  /** Exited, and its output is read. */
  #isGone = false;

  constructor(main: ServiceMain, options: ProcessOptions) {
    const { stdout = "pipe", lifetimeMs = LIFETIME_MS } = options;
    this.#child = spawnWith(main, options);
    if (this.#child.pid === undefined) throw new AppError("internal", "the process could not be started");
    this.pid = this.#child.pid;
    this.#out = new ServiceOutput(() => this.#heard(stdout));
    this.#err = new ServiceOutput(() => {});
    if (stdout === "closed") this.#child.stdout?.destroy();
    else if (this.#child.stdout !== null) this.#out.collect(this.#child.stdout);
    if (this.#child.stderr !== null) this.#err.collect(this.#child.stderr);
    this.exited = this.#exit(lifetimeMs);
    killWithRunner(this.#child);
  }

  get lines(): readonly LogLine[] {
    return this.#out.lines;
  }

  get stdout(): string {
    return this.#out.text;
  }

  get stderr(): string {
    return this.#err.text;
  }

  kill(signal: NodeJS.Signals = "SIGTERM"): void {
    if (this.#hasExited) return;
    this.#since = performance.now();
    this.#child.kill(signal);
  }

  async line(msg: string, timeoutMs = LINE_TIMEOUT_MS): Promise<LogLine> {
    const signal = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const found = this.lines.find((line) => line.msg === msg);
      if (found !== undefined) return found;
      if (this.#isGone) throw this.#missing("internal", "the process ended before it logged this line", msg);
      await once(this.#changes, "change", { signal }).catch(() => {
        throw this.#missing("timeout", "the process did not log this line in time", msg);
      });
    }
  }

  #heard(stdout: StdoutTarget): void {
    if (stdout === "unread" && !this.#hasExited && this.lines.some(({ msg }) => msg === "listening")) {
      this.#child.stdout?.pause();
    }
    this.#changes.emit("change");
  }

  async #exit(lifetimeMs: number): Promise<ProcessExit> {
    const lifetime = setTimeout(() => this.kill("SIGKILL"), lifetimeMs);
    const closed = once(this.#child, "close");
    const [code, signal] = await once(this.#child, "exit");
    const ms = performance.now() - this.#since;
    this.#hasExited = true;
    clearTimeout(lifetime);
    this.#child.stdout?.resume();
    const lag = setTimeout(() => this.#child.emit("close"), MAX_OUTPUT_LAG_MS);
    await closed;
    clearTimeout(lag);
    this.#isGone = true;
    this.#changes.emit("change");
    return { code, signal, ms };
  }

  #missing(code: ErrorCode, message: string, msg: string): AppError {
    return new AppError(code, message, { fields: { msg, stdout: this.stdout, stderr: this.stderr } });
  }
}

function spawnWith(main: ServiceMain, { env, args = [], cwd, stdout = "pipe" }: ProcessOptions): ChildProcess {
  const file = typeof stdout === "object" ? stdout.file : undefined;
  const descriptor = typeof file === "string" ? openSync(file, "a") : file;
  const [command = "", ...rest] = commandOf(main);
  const child = spawn(command, [...rest, ...args], {
    cwd,
    env: { PATH: process.env.PATH, PORT: "0", ...env },
    stdio: ["ignore", descriptor ?? "pipe", "pipe"],
  });
  if (typeof file === "string" && descriptor !== undefined) closeSync(descriptor);
  // What can't be started has no pid either.
  child.on("error", () => {});
  return child;
}

function commandOf(main: ServiceMain): readonly string[] {
  if (typeof main !== "string" && !(main instanceof URL)) return main;
  const path = typeof main === "string" ? resolve(main) : fileURLToPath(main);
  if (!path.endsWith(".ts")) return [process.execPath, path];
  // Found from the service, which has it among its dependencies, and not from wherever the test runs.
  const register = pathToFileURL(createRequire(path).resolve("@parapet/dev/register"));
  return [process.execPath, "--conditions=parapet-source", "--import", register.href, path];
}

const running = new Set<ChildProcess>();

/** What ends a test in the middle: `node --test` sends SIGTERM after a time-out or a Ctrl-C. */
const ENDS = { SIGINT: 130, SIGTERM: 143 } as const;

/** A test process that ends in the middle of a test takes its services with it. */
function killWithRunner(child: ChildProcess): void {
  if (running.size === 0) watchRunner("on");
  running.add(child);
  child.once("exit", () => {
    running.delete(child);
    if (running.size === 0) watchRunner("off");
  });
}

function watchRunner(change: "on" | "off"): void {
  process[change]("exit", killRunning);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process[change](signal, endRunner);
}

function endRunner(signal: "SIGINT" | "SIGTERM"): void {
  process.exit(ENDS[signal]);
}

function killRunning(): void {
  for (const child of running) child.kill("SIGKILL");
}
