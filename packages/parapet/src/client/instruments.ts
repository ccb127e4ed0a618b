import {
  type Counter,
  type Gauge,
  type Histogram,
  type Labeled,
  perRegistry,
  type Registry,
} from "../metrics/index.ts";

/** The instruments of this room in a registry: made once, and shared by all clients of the process. */
export const instrumentsOf: (registry: Registry) => Instruments = perRegistry((registry) => new Instruments(registry));

export class Instruments {
  readonly calls: Labeled<"service" | "operation" | "result", Counter>;
  readonly duration: Labeled<"service" | "operation", Histogram>;
  readonly retries: Labeled<"service" | "operation", Counter>;
  readonly breakerOpen: Labeled<"service", Gauge>;

  constructor(registry: Registry) {
    this.calls = registry.counter({
      name: "client_calls_total",
      help: "Calls of other services, by ok or the code of the error.",
      labels: ["service", "operation", "result"],
    });
    this.duration = registry.histogram({
      name: "client_call_duration_seconds",
      help: "How long calls took, with all their attempts.",
      labels: ["service", "operation"],
    });
    this.retries = registry.counter({
      name: "client_retries_total",
      help: "Attempts but the first ones.",
      labels: ["service", "operation"],
    });
    this.breakerOpen = registry.gauge({
      name: "client_breaker_open",
      help: "1 while calls are refused since the service does not answer, else 0.",
      labels: ["service"],
    });
  }
}
