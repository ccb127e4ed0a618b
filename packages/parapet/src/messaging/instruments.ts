import {
  type Counter,
  type Gauge,
  type Histogram,
  type Labeled,
  perRegistry,
  type Registry,
} from "../metrics/index.ts";

/** How a publish ended: confirmed, taken by no queue, or not confirmed. */
export type PublishResult = "ok" | "unroutable" | "failed";
/** How a delivery ended: it took effect, had taken effect before, is delivered again later, was parked, or given back unbegun. */
export type ConsumeResult = "done" | "duplicate" | "retried" | "parked" | "released";

/** The instruments of this room in a registry: made once, and shared by all brokers of the process. */
export const instrumentsOf: (registry: Registry) => Instruments = perRegistry((registry) => new Instruments(registry));

export class Instruments {
  readonly published: Labeled<"result", Counter>;
  readonly publishDuration: Histogram;
  readonly consumed: Labeled<"group" | "type" | "result", Counter>;
  readonly handleDuration: Labeled<"group" | "type", Histogram>;
  readonly redelivered: Labeled<"group", Counter>;
  readonly connects: Labeled<"connection" | "result", Counter>;
  readonly blocked: Labeled<"connection", Gauge>;
  readonly inFlight: Labeled<"group", Gauge>;

  constructor(registry: Registry) {
    this.published = registry.counter({
      name: "messages_published_total",
      help: "Messages given to the broker: ok, unroutable, or failed.",
      labels: ["result"],
    });
    this.publishDuration = registry.histogram({
      name: "message_publish_duration_seconds",
      help: "From the publish to the broker's confirm.",
    });
    this.consumed = registry.counter({
      name: "messages_consumed_total",
      help: "Deliveries, by how they ended: done, duplicate, retried, parked, or released.",
      labels: ["group", "type", "result"],
    });
    this.handleDuration = registry.histogram({
      name: "message_handle_duration_seconds",
      help: "How long handling a delivery took.",
      labels: ["group", "type"],
    });
    this.redelivered = registry.counter({
      name: "messages_redelivered_total",
      help: "Deliveries that may have been delivered before, to somebody who is gone.",
      labels: ["group"],
    });
    this.connects = registry.counter({
      name: "broker_connects_total",
      help: "Attempts to connect to the broker, by ok or failed.",
      labels: ["connection", "result"],
    });
    this.blocked = registry.gauge({
      name: "broker_connection_blocked",
      help: "1 while the broker takes nothing from the connection, for want of memory or disk, else 0.",
      labels: ["connection"],
    });
    this.inFlight = registry.gauge({
      name: "messages_in_flight",
      help: "Deliveries that are being handled.",
      labels: ["group"],
    });
  }
}
