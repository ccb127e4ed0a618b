import { AppError } from "parapet/errors";
import { poll } from "./poll.ts";
import { freePort, isPortFree } from "./ports.ts";

const DEFAULT_PORT = 8080;
const MAX_PORT = 65_535;
// A killed run's services notice that they are alone at once, and then drain.
const TAKEOVER_TIMEOUT_MS = 5_000;

export interface ServicePortsOptions {
  readonly count: number;
  /** The first service's port as the environment says it; 8080 when it doesn't, and any free ones for `0`. */
  readonly first: string | undefined;
  /** Whether services of a killed run may still be about to leave. */
  readonly afterKill: boolean;
}

/** One port a service, counted up from the first. Throws `invalid` for a bad `PORT`, `conflict` for a taken one. */
export async function servicePorts({ count, first, afterKill }: ServicePortsOptions): Promise<number[]> {
  const start = parsePort(first, count);
  if (start === 0) return Promise.all(Array.from({ length: count }, freePort));
  const ports = Array.from({ length: count }, (_, index) => start + index);
  for (const port of ports) await assertFree(port, { start, timeoutMs: afterKill ? TAKEOVER_TIMEOUT_MS : 0 });
  return ports;
}

function parsePort(text: string | undefined, count: number): number {
  if (text === undefined || text === "") return DEFAULT_PORT;
  const port = Number(text);
  if (/^\d+$/.test(text) && port + count - 1 <= MAX_PORT) return port;
  throw new AppError("invalid", `PORT must be a number from 1 to ${MAX_PORT - count + 1}, or 0 for any: PORT=8090`);
}

async function assertFree(port: number, { start, timeoutMs }: { start: number; timeoutMs: number }): Promise<void> {
  const free = await poll(async () => ((await isPortFree(port)) ? true : undefined), { timeoutMs });
  if (free === true) return;
  const another = start < MAX_PORT - 10 ? start + 10 : DEFAULT_PORT;
  throw new AppError(
    "conflict",
    `port ${port} is taken\n  stop what listens there, or choose another: PORT=${another} npm start`,
  );
}
