import { type Counter, type Gauge, type Labeled, perRegistry, type Registry } from "../metrics/index.ts";

/** How a publish ended: confirmed, taken by no queue, or refused. */
export type RelayResult = "ok" | "unroutable" | "failed";

/** The instruments of the relays that count in a registry. */
export const relayInstrumentsOf: (registry: Registry) => RelayInstruments = perRegistry(
  (registry) => new RelayInstruments(registry),
);

export class RelayInstruments {
  readonly published: Labeled<"result", Counter>;
  readonly pending: Gauge;
  readonly oldestAge: Gauge;
  readonly lanes: Gauge;

  constructor(registry: Registry) {
    this.published = registry.counter({
      name: "outbox_publish_total",
      help: "Events given to the broker: ok, unroutable, or failed. A broker that is away is not counted.",
      labels: ["result"],
    });
    this.pending = registry.gauge({
      name: "outbox_pending",
      help: "Events that wait to be published, of all processes; counted up to 100001.",
    });
    this.oldestAge = registry.gauge({
      name: "outbox_oldest_age_seconds",
      help: "How long the oldest event has waited to be published.",
    });
    this.lanes = registry.gauge({
      name: "outbox_lanes",
      help: "Lanes, of 16, whose events this process publishes.",
    });
  }
}
