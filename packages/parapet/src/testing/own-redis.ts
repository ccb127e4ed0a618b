import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@redis/client";
import { AppError } from "../errors/index.ts";
import { eventually } from "./eventually.ts";
import { LOOPBACK } from "./loopback.ts";
import { findCommand, sparePort } from "./own-server.ts";
import type { SkippableScope } from "./test-scope.ts";

/** A Redis server that belongs to one test, which may do to it what it likes. */
export interface OwnRedis {
  readonly url: string;
  readonly pid: number;
  /** Runs a command, and gives what Redis says to it. */
  command(...args: readonly string[]): Promise<unknown>;
  /** Sends a signal to the server: `SIGSTOP` hangs it, `SIGCONT` lets it go on. */
  signal(signal: NodeJS.Signals): void;
  /** Ends the server at once, as a crash does. */
  kill(): Promise<void>;
  /** Starts it again, empty, on the same port. */
  restart(): Promise<void>;
}

/**
 * Starts a `redis-server` of the PATH on a free loopback port, with nothing kept on disk and these arguments; it is gone when the
 * test is. Without one on the PATH the test is skipped, and gets undefined.
 */
export async function ownRedis(t: SkippableScope, ...args: readonly string[]): Promise<OwnRedis | undefined> {
  if (findCommand("redis-server") === undefined) {
    t.skip("there is no redis-server on the PATH, and this test needs one that it can break");
    return undefined;
  }
  const redis = new OwnRedisServer(await sparePort(), args);
  t.after(() => redis.close());
  await redis.restart();
  return redis;
}

class OwnRedisServer implements OwnRedis {
  readonly #port: number;
  readonly #args: readonly string[];
  readonly #folder = mkdtempSync(join(tmpdir(), "parapet-redis-"));
  #process: ChildProcess | undefined;

  constructor(port: number, args: readonly string[]) {
    this.#port = port;
    this.#args = args;
  }

  get url(): string {
    return `redis://${LOOPBACK}:${this.#port}`;
  }

  get pid(): number {
    const { pid } = this.#process ?? {};
    if (pid === undefined) throw new AppError("internal", "the redis server is not running");
    return pid;
  }

  async command(...args: readonly string[]): Promise<unknown> {
    const redis = createClient({ url: this.url, disableClientInfo: true, socket: { reconnectStrategy: false } });
    redis.on("error", () => {});
    try {
      await redis.connect();
      return await redis.sendCommand([...args]);
    } finally {
      redis.destroy();
    }
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  async kill(): Promise<void> {
    const server = this.#process;
    this.#process = undefined;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const gone = once(server, "exit");
    server.kill("SIGKILL");
    await gone;
  }

  async restart(): Promise<void> {
    await this.kill();
    const settings = ["--port", String(this.#port), "--bind", LOOPBACK, "--save", "", "--appendonly", "no"];
    const server = spawn("redis-server", [...settings, "--dir", this.#folder, ...this.#args], { stdio: "ignore" });
    this.#process = server;
    await once(server, "spawn");
    // One that wants a password refuses, and so is there.
    await eventually(() =>
      this.command("PING").then(
        Boolean,
        (error: unknown) => error instanceof Error && /^(NOAUTH|HELLO)/.test(error.message),
      ),
    );
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
