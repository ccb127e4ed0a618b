import { connect, createServer } from "node:net";
import { AppError } from "../errors/index.ts";
import { eventually } from "./eventually.ts";
import { LOOPBACK, listenOnSparePort } from "./loopback.ts";
import { type ProcessOptions, type ServiceMain, type ServiceProcess, startProcess } from "./service-process.ts";
import type { TestScope } from "./test-scope.ts";

/** A service that listens. */
export interface Service extends ServiceProcess {
  readonly port: number;
  /** `http://127.0.0.1:` and the port. */
  readonly url: string;
}

const START_TIMEOUT_MS = 15_000;

/**
 * Starts a service as a process of its own on a free port, and waits until it listens. It is killed with the test.
 * The port is that of its line `listening`, or one chosen before where its stdout can't be read.
 */
export async function startService(t: TestScope, main: ServiceMain, options: ProcessOptions = {}): Promise<Service> {
  const { stdout = "pipe", env } = options;
  if (stdout === "pipe" || stdout === "unread") {
    const started = startProcess(t, main, options);
    const { port } = await started.line("listening", START_TIMEOUT_MS);
    return listeningOn(Number(port), started);
  }
  const port = Number(env?.PORT ?? (await freePort()));
  const started = startProcess(t, main, { ...options, env: { ...env, PORT: String(port) } });
  await untilReachable(port, started);
  return listeningOn(port, started);
}

function listeningOn(port: number, started: ServiceProcess): Service {
  return Object.assign(started, { port, url: `http://${LOOPBACK}:${port}` });
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listenOnSparePort(server);
  server.close();
  return port;
}

async function untilReachable(port: number, started: ServiceProcess): Promise<void> {
  let isGone = false;
  started.exited.then(() => {
    isGone = true;
  });
  await eventually(async () => isGone || (await isReachable(port)), START_TIMEOUT_MS);
  if (!isGone) return;
  const fields = { port, stderr: started.stderr };
  throw new AppError("internal", "the process ended before it listened", { fields });
}

function isReachable(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, LOOPBACK);
    socket.on("error", () => resolve(false));
    socket.on("connect", () => {
      resolve(true);
      socket.destroy();
    });
  });
}
