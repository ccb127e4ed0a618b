import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { AppError } from "parapet/errors";
import { hasErrno } from "./errno.ts";
import { portOf } from "./ports.ts";
import { isAlive } from "./process-signals.ts";

/** The right to run in a folder. */
export interface DevLock {
  /** Whether a run before this one was killed and left its lock. */
  readonly tookOver: boolean;
  release(): void;
}

interface Holder {
  readonly pid: number;
  /** Where the holder says its token. An id alone proves nothing: after a restart of a container others have it. */
  readonly port: number;
  readonly token: string;
}

// On loopback; a holder that is suspended (Ctrl-Z) takes the connection and stays silent.
const ANSWER_TIMEOUT_MS = 1_000;

/** Takes the lock, also from a process that is gone. Throws `conflict` when another one runs. */
export async function takeLock(file: string): Promise<DevLock> {
  const token = randomUUID();
  const server = createServer((socket) => socket.on("error", () => {}).end(token));
  server.listen(0, "127.0.0.1").unref();
  await once(server, "listening");
  try {
    const tookOver = await claim(file, { pid: process.pid, port: portOf(server), token });
    return { tookOver, release: () => release(file, server) };
  } catch (thrown) {
    server.close();
    throw thrown;
  }
}

async function claim(file: string, self: Holder): Promise<boolean> {
  if (wasWritten(file, self)) return false;
  const holder = readHolder(file);
  if (holder !== undefined && (await isRunning(holder))) {
    throw new AppError(
      "conflict",
      `it runs here already, as process ${holder.pid}\n` +
        `  stop that one with Ctrl-C in its terminal, or with: kill ${holder.pid}`,
    );
  }
  rmSync(file, { force: true });
  if (!wasWritten(file, self)) throw new AppError("conflict", "another start was quicker: it runs here already");
  return true;
}

function wasWritten(file: string, holder: Holder): boolean {
  try {
    writeFileSync(file, JSON.stringify(holder), { flag: "wx" });
    return true;
  } catch (thrown) {
    if (hasErrno(thrown, "EEXIST")) return false;
    throw thrown;
  }
}

function readHolder(file: string): Holder | undefined {
  try {
    const holder: unknown = JSON.parse(readFileSync(file, "utf8"));
    return isHolder(holder) ? holder : undefined;
  } catch (thrown) {
    // A process that was killed while it wrote, or one that released it just now.
    if (thrown instanceof SyntaxError || hasErrno(thrown, "ENOENT")) return undefined;
    throw thrown;
  }
}

function isHolder(value: unknown): value is Holder {
  if (typeof value !== "object" || value === null || !("pid" in value && "port" in value && "token" in value))
    return false;
  return Number.isSafeInteger(value.pid) && Number.isSafeInteger(value.port) && typeof value.token === "string";
}

async function isRunning({ pid, port, token }: Holder): Promise<boolean> {
  if (!isAlive(pid)) return false;
  const said = await askToken(port);
  return said === token || said === "silence";
}

function askToken(port: number): Promise<string> {
  return new Promise((resolve) => {
    let said = "";
    const socket = connect(port, "127.0.0.1")
      .setEncoding("utf8")
      .setTimeout(ANSWER_TIMEOUT_MS, () => {
        socket.destroy();
        resolve("silence");
      })
      .on("data", (text) => {
        said += text;
      })
      .on("error", () => resolve("nobody"))
      .on("end", () => resolve(said));
  });
}

function release(file: string, server: Server): void {
  server.close();
  rmSync(file, { force: true });
}
