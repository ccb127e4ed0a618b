export {
  type Broker,
  type Delivery,
  RETRY_PAUSES_MS,
  type Subscription,
  type SubscriptionOptions,
  type Verdict,
} from "./broker.ts";
export { type Consumer, type ConsumerOptions, createConsumer, type StartMarks } from "./consumer.ts";
export { type BrokerOptions, createBroker } from "./create-broker.ts";
export { type EventHandler, type EventInput, on } from "./event-handler.ts";
export { createMemoryBroker, type MemoryBroker, type ParkedMessage } from "./memory-broker.ts";
export type { Message, ReceivedMessage } from "./message.ts";
export { type ParkedDelivery, type ParkedOptions, parkedDeliveries } from "./rabbitmq/parked-deliveries.ts";
export { type GroupQueues, queuesOf } from "./rabbitmq/topology.ts";
