import { get } from "node:http";
import { poll } from "./poll.ts";
import type { ServiceProcess } from "./service-process.ts";

// A service is ready within 300 ms on a quiet machine.
const READY_TIMEOUT_MS = 15_000;
const PROBE_TIMEOUT_MS = 1_000;

export interface ReadinessOptions {
  readonly port: number;
  readonly process: ServiceProcess;
  readonly signal: AbortSignal;
  /** Asked meanwhile: whether nobody is interested any more. */
  readonly isObsolete: () => boolean;
}

export type ReadinessState = "ready" | "not ready" | "obsolete" | "ended";

/** Waits until the service is ready by its probe, or ended, or the answer is obsolete, or 15 seconds went by. */
export async function readiness({ port, process, signal, isObsolete }: ReadinessOptions): Promise<ReadinessState> {
  const state = await poll<ReadinessState>(
    async () => {
      if (process.isOver) return "ended";
      if (isObsolete()) return "obsolete";
      const status = await probe(port);
      return status === undefined || status === 503 ? undefined : "ready";
    },
    { timeoutMs: READY_TIMEOUT_MS, everyMs: 10, signal },
  );
  return state ?? "not ready";
}

/** The status of `/readyz`, undefined when nobody answers. A service without the probe answers too, and is ready. */
function probe(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const request = get({ host: "127.0.0.1", port, path: "/readyz", agent: false, timeout: PROBE_TIMEOUT_MS });
    request.on("response", (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(undefined));
  });
}
