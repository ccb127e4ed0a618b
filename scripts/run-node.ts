import { spawn } from "node:child_process";
import { ROOT } from "./test-files.ts";

/** How `node` runs this repository from source. */
export const FROM_SOURCE = ["--conditions=parapet-source", "--import", "@parapet/dev/register"] as const;

export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Ends the child when it aborts. */
  readonly signal: AbortSignal;
  /** The child is ended after this many milliseconds. */
  readonly timeoutMs: number;
}

/** Runs `node` with these arguments at the root, its output into ours, and gives its exit code: 1 when a signal ended it. */
export function runNode(args: readonly string[], { env = {}, signal, timeoutMs }: RunOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: "inherit",
      timeout: timeoutMs,
    });
    const end = () => child.kill();
    signal.addEventListener("abort", end);
    child.on("error", reject);
    child.on("exit", (code) => {
      signal.removeEventListener("abort", end);
      resolve(code ?? 1);
    });
    if (signal.aborted) end();
  });
}
