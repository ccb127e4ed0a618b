import type { Logger } from "../log/index.ts";
import { metrics as processMetrics, type Registry } from "../metrics/index.ts";
import type { Broker } from "./broker.ts";
import { assertBrokerUrl } from "./broker-url.ts";
import { instrumentsOf } from "./instruments.ts";
import { RabbitBroker } from "./rabbitmq/rabbit-broker.ts";

export interface BrokerOptions {
  readonly log: Logger;
  /** Where to count; the process-wide registry by default. */
  readonly metrics?: Registry;
  /** How its connections name themselves to the broker; the service that logs, by default. */
  readonly service?: string;
}

/**
 * The RabbitMQ (3.10 or newer) at `amqp://user:password@host:port/vhost`, or `amqps:`. Makes no connection before `start`. Throws
 * `invalid` when the URL is not one of a RabbitMQ.
 */
export function createBroker(
  url: string,
  { log, metrics = processMetrics, service = log.service }: BrokerOptions,
): Broker {
  assertBrokerUrl(url);
  return new RabbitBroker({ url, service, log, instruments: instrumentsOf(metrics) });
}
