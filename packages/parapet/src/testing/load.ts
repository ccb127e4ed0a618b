import { setMaxListeners } from "node:events";
import { Agent, type OutgoingHttpHeaders } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { exchange, type Reply } from "./http-exchange.ts";
import type { TestScope } from "./test-scope.ts";

export interface LoadRequest {
  /** GET unless said. */
  readonly method?: string;
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

export interface LoadOptions {
  /** Where the service is: `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Clients that keep their connection, each with one request under way at most. */
  readonly keepAliveClients: number;
  /** Clients that open a new connection for each request. */
  readonly freshClients: number;
  /** The longest pause between a client's requests, in milliseconds; each pause is random. */
  readonly maxThinkMs: number;
  /** Makes the request of this number, counted from 0 over all clients. */
  readonly request: (number: number) => LoadRequest;
  /** Sees each reply, also the failed ones; what it throws counts as a failure. */
  readonly onReply?: (reply: Reply, request: LoadRequest) => void;
}

/** What became of the requests so far. Failed are those without a reply, and those with a status of 400 and above. */
export interface LoadReport {
  readonly attempted: number;
  readonly ok: number;
  readonly failed: number;
  /** How many failed for which reason: `ECONNRESET`, `status 503`. */
  readonly failures: Readonly<Record<string, number>>;
  /** How long the slowest of the fastest so many percent took, in milliseconds. */
  latencyMs(percentile: number): number;
}

export interface Load {
  report(): LoadReport;
  /** Begins no more requests, waits for those under way, and reports on all. */
  stop(): Promise<LoadReport>;
}

// Longer than any server lets a client wait.
const TIMEOUT_MS = 35_000;

/** Sends requests to a service of this machine until it is stopped, or the test is over. */
export function startLoad(t: TestScope, options: LoadOptions): Load {
  const load = new HttpLoad(options);
  t.after(async () => void (await load.stop()));
  return load;
}

class HttpLoad implements Load {
  readonly #options: LoadOptions;
  readonly #stopping = new AbortController();
  readonly #clients: Promise<void>[];
  readonly #latencies: number[] = [];
  readonly #failures: Record<string, number> = {};
  #attempted = 0;
  #failed = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    // Every client listens while it pauses.
    setMaxListeners(options.keepAliveClients + options.freshClients, this.#stopping.signal);
    this.#clients = [
      ...Array.from({ length: options.keepAliveClients }, () => this.#run({ keepAlive: true })),
      ...Array.from({ length: options.freshClients }, () => this.#run({ keepAlive: false })),
    ];
  }

  report(): LoadReport {
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    return {
      attempted: this.#attempted,
      ok: sorted.length,
      failed: this.#failed,
      failures: { ...this.#failures },
      latencyMs: (percentile) => sorted[Math.ceil((percentile / 100) * sorted.length) - 1] ?? 0,
    };
  }

  async stop(): Promise<LoadReport> {
    this.#stopping.abort();
    await Promise.all(this.#clients);
    return this.report();
  }

  async #run({ keepAlive }: { readonly keepAlive: boolean }): Promise<void> {
    const agent = new Agent({ keepAlive, maxSockets: 1 });
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#ask(agent);
      await delay(Math.random() * this.#options.maxThinkMs, undefined, { signal }).catch(() => {});
    }
    agent.destroy();
  }

  async #ask(agent: Agent): Promise<void> {
    const { url, request, onReply } = this.#options;
    const { hostname, port } = new URL(url);
    const wanted = request(this.#attempted++);
    const started = performance.now();
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const reply = await exchange({ ...wanted, hostname, port, agent, signal }, wanted.body);
      onReply?.(reply, wanted);
      if (reply.status < 400) this.#latencies.push(performance.now() - started);
      else this.#fail(`status ${reply.status}`);
    } catch (thrown) {
      this.#fail(reasonOf(thrown));
    }
  }

  #fail(reason: string): void {
    this.#failed++;
    this.#failures[reason] = (this.#failures[reason] ?? 0) + 1;
  }
}

function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  return "code" in thrown ? String(thrown.code) : thrown.message;
}
