import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { AppError } from "parapet/errors";
import type { Contender } from "./contenders.ts";
import { freePort } from "./free-port.ts";

/** A server under way. */
export interface ServerProcess {
  readonly url: string;
  readonly pid: number;
  /** Asks it to end, and waits. Throws `timeout` when it had to be killed. */
  stop(): Promise<void>;
}

export interface StartOptions {
  /** Where its output goes. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

const START_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 20_000;
const POLL_MS = 25;
const SHOWN_OUTPUT = 2_000;

/**
 * Starts a server on a free port, its output into a file, and gives it when it is ready. Throws `unavailable`, with the
 * end of its output, when it does not get there.
 */
export async function startServer(contender: Contender, { folder, signal }: StartOptions): Promise<ServerProcess> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const logFile = join(folder, "server.log");
  const child = spawnInto(logFile, contender, port);
  try {
    await untilReady(child, url + contender.readyPath, signal);
  } catch (thrown) {
    await stop(child);
    signal.throwIfAborted();
    const output = (await readFile(logFile, "utf8")).slice(-SHOWN_OUTPUT);
    throw new AppError("unavailable", `${contender.title} did not start\n${output}`, { cause: thrown });
  }
  return {
    url,
    pid: child.pid ?? 0,
    stop: () => stop(child).finally(() => rm(logFile)),
  };
}

function spawnInto(logFile: string, { command, env }: Contender, port: number): ChildProcess {
  const [file, ...args] = command;
  const output = openSync(logFile, "w");
  try {
    const child = spawn(file, args, { env: { ...env, PORT: String(port) }, stdio: ["ignore", output, output] });
    // One that could not be spawned has no pid.
    return child.on("error", () => {});
  } finally {
    closeSync(output);
  }
}

async function untilReady(child: ChildProcess, url: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (isAlive(child) && performance.now() < deadline) {
    signal.throwIfAborted();
    const reply = await fetch(url, { signal: AbortSignal.timeout(START_TIMEOUT_MS) }).catch(() => undefined);
    await reply?.arrayBuffer();
    if (reply?.status === 200) return;
    await delay(POLL_MS);
  }
  throw new AppError("unavailable", "not ready in time");
}

async function stop(child: ChildProcess): Promise<void> {
  if (!isAlive(child)) return;
  const exited = once(child, "exit", { signal: AbortSignal.timeout(STOP_TIMEOUT_MS) });
  child.kill("SIGTERM");
  try {
    await exited;
  } catch (cause) {
    child.kill("SIGKILL");
    throw new AppError("timeout", "a server did not end when it was asked to", { cause });
  }
}

function isAlive({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid !== undefined && exitCode === null && signalCode === null;
}
