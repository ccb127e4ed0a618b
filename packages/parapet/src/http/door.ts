import type { Logger } from "../log/index.ts";
import type { AccessLog } from "./access-log.ts";
import type { Cors } from "./cors.ts";
import type { HttpMetrics } from "./http-metrics.ts";
import type { Router } from "./router.ts";

/** What all exchanges of a server share. */
export interface Door {
  readonly log: Logger;
  readonly router: Router;
  readonly cors: Cors;
  readonly metrics: HttpMetrics;
  readonly accessLog: AccessLog;
  /** How long a request may take unless its route says otherwise, in milliseconds. */
  readonly budgetMs: number;
  readonly maxBodyBytes: number;
  /** Tells whether answers should ask the client to leave the connection. */
  isDraining(): boolean;
}
