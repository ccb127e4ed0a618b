import { brokerSuite } from "../testing/broker-suite.ts";
import { createMemoryBroker } from "./memory-broker.ts";

brokerSuite("the broker in the process", async () => {
  const broker = createMemoryBroker();
  return {
    connect: async () => broker,
    parked: async (group) => broker.parked(group).map(({ message, error }) => ({ id: message.id, error })),
    using: () => {},
  };
});
