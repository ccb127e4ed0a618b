import { flushLogs } from "../log/index.ts";

/** How long the last log lines may take. */
export const FLUSH_MS = 500;

/** Ends the process when the log lines are out, at the latest after half a second. */
export async function exit(code: number): Promise<never> {
  await flushLogs(FLUSH_MS);
  process.exit(code);
}

/** Writes text and waits until it is out, or until nobody can read it any more. */
export function print(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((resolve) => {
    stream.once("error", () => resolve());
    stream.write(text, () => resolve());
  });
}
