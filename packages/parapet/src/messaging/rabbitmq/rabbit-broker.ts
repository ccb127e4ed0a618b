import type { Context } from "../../context/index.ts";
import { hasCode } from "../../errors/index.ts";
import type { Logger } from "../../log/index.ts";
import type { Broker, Subscription, SubscriptionOptions } from "../broker.ts";
import type { Instruments, PublishResult } from "../instruments.ts";
import type { Message } from "../message.ts";
import { toProperties } from "./amqp-message.ts";
import { RabbitLink } from "./link.ts";
import { RabbitPublisher } from "./publisher.ts";
import { RabbitSubscription } from "./subscription.ts";
import { EVENTS } from "./topology.ts";

export interface RabbitBrokerOptions {
  readonly url: string;
  readonly service: string;
  readonly log: Logger;
  readonly instruments: Instruments;
}

/** A RabbitMQ, 3.10 or newer. */
export class RabbitBroker implements Broker {
  readonly name = "broker";
  readonly #options: RabbitBrokerOptions;
  readonly #publishing: RabbitLink;
  readonly #publisher: RabbitPublisher;
  readonly #consuming: RabbitLink;
  #isStarted = false;
  #hasSubscriptions = false;

  constructor(options: RabbitBrokerOptions) {
    this.#options = options;
    this.#publishing = new RabbitLink({ ...options, purpose: "publish" });
    this.#consuming = new RabbitLink({ ...options, purpose: "consume" });
    this.#publisher = new RabbitPublisher(this.#publishing, options.log);
  }

  async start(): Promise<void> {
    this.#isStarted = true;
    this.#publishing.start();
    this.#publisher.start();
    if (this.#hasSubscriptions) this.#consuming.start();
  }

  async stop(ctx: Context): Promise<undefined> {
    this.#publisher.stop();
    await Promise.all([this.#publishing.stop(ctx), this.#consuming.stop(ctx)]);
  }

  async publish(ctx: Context, message: Message): Promise<void> {
    const { published, publishDuration } = this.#options.instruments;
    const count = (result: PublishResult) => published.with({ result }).inc();
    const startedAt = performance.now();
    try {
      const { type, data } = message;
      const properties = toProperties(message);
      await this.#publisher.publish(ctx, { exchange: EVENTS, routingKey: type, data, properties });
      count("ok");
      publishDuration.observe((performance.now() - startedAt) / 1000);
    } catch (thrown) {
      count(hasCode(thrown, "not_found") ? "unroutable" : "failed");
      throw thrown;
    }
  }

  notPublishingBecause(): string | undefined {
    return this.#publisher.notPublishingBecause();
  }

  subscribe(options: SubscriptionOptions): Subscription {
    const { log } = this.#options;
    this.#hasSubscriptions = true;
    if (this.#isStarted) this.#consuming.start();
    return new RabbitSubscription({ ...options, log, link: this.#consuming, publisher: this.#publisher });
  }
}
