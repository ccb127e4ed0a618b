import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { AppError } from "parapet/errors";
import { type LoadResult, parseWrkOutput } from "./wrk-output.ts";

export interface Load {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** A file of `load/` that makes the requests, with its arguments; without one they all GET the URL. */
  readonly script?: { readonly file: string; readonly args: readonly string[] } | undefined;
  readonly signal: AbortSignal;
}

const run = promisify(execFile);

// What wrk may take beyond its time, to connect and to give up on replies.
const SLACK_MS = 15_000;

/** Throws `invalid`, saying what to install, where there is no wrk. */
export async function assertWrk(): Promise<void> {
  if ((await wrkVersion()) === undefined) {
    throw new AppError("invalid", "wrk, which makes the load, is missing: apt-get install wrk");
  }
}

/** Such as `4.1.0`, or undefined where there is none. */
export async function wrkVersion(): Promise<string | undefined> {
  // It prints its version and ends with 1.
  const { stdout } = await run("wrk", ["-v"], { timeout: SLACK_MS }).catch((failure: { stdout?: string }) => failure);
  return /wrk (?:debian\/)?([\d.]+)/.exec(stdout ?? "")?.[1];
}

/**
 * Sends requests for so many seconds, on one thread: it needs a part of a core, and leaves the rest to the server.
 * Throws `unavailable` when wrk cannot do its work.
 */
export async function runWrk(load: Load): Promise<LoadResult> {
  const { seconds, signal } = load;
  try {
    const { stdout } = await run("wrk", wrkArgs(load), { signal, timeout: seconds * 1000 + SLACK_MS });
    // An interrupt reaches wrk too, which then reports on the part of the time that it had.
    signal.throwIfAborted();
    const result = parseWrkOutput(stdout);
    if (result.requests === 0) throw new AppError("unavailable", "no request had a reply");
    return result;
  } catch (cause) {
    signal.throwIfAborted();
    throw new AppError("unavailable", "wrk failed", { cause });
  }
}

function wrkArgs({ url, connections, seconds, script }: Load): string[] {
  const args = ["-t1", `-c${connections}`, `-d${seconds}s`, "--latency"];
  if (script === undefined) return [...args, url];
  const file = fileURLToPath(new URL(`load/${script.file}`, import.meta.url));
  return [...args, "-s", file, url, "--", ...script.args];
}
