import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestScope } from "parapet/testing";

/** A pipe for a service's stdout whose reader does what the test wants. */
export interface LogPipe {
  /** The end to write to, for `stdout: { file }`. */
  readonly input: number;
  /** What was read so far. */
  readonly text: string;
  /** Reads on, until the end. It reads nothing before. */
  startReading(): void;
  /** Goes away: who writes gets EPIPE. */
  die(): void;
}

/** Opens a pipe that nobody reads yet. It is gone when the test is. */
export function logPipe(t: TestScope): LogPipe {
  const folder = mkdtempSync(join(tmpdir(), "parapet-pipe-"));
  const path = join(folder, "pipe");
  execFileSync("mkfifo", [path]);
  // This end first: one to write to does not open without it.
  const output = new Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), readable: true });
  const input = openSync(path, constants.O_WRONLY);
  rmSync(folder, { recursive: true });
  t.after(() => {
    closeSync(input);
    output.destroy();
  });
  let text = "";
  output.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  output.pause();
  return {
    input,
    get text() {
      return text;
    },
    startReading: () => void output.resume(),
    die: () => void output.destroy(),
  };
}
