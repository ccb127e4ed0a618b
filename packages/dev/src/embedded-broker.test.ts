import type { TestContext } from "node:test";
import { connect } from "amqplib";
import { createBroker, queuesOf } from "parapet/messaging";
import { createRegistry } from "parapet/metrics";
import { brokerSuite, testContext } from "parapet/testing";
import { startEmbeddedBroker } from "./embedded-broker.ts";

async function create(t: TestContext) {
  const server = await startEmbeddedBroker();
  t.after(() => server.stop());
  return {
    connect: async () => {
      const broker = createBroker(server.url, { log: testContext().log, metrics: createRegistry() });
      t.after(() => broker.stop(testContext()).then(() => {}));
      await broker.start(testContext());
      return broker;
    },
    parked: async (group: string) => {
      const model = await connect(server.url);
      const channel = await model.createChannel();
      const parked = [];
      for (;;) {
        const message = await channel.get(queuesOf(group).parking);
        if (message === false) break;
        const { messageId, headers } = message.properties;
        parked.push({ id: String(messageId), error: String(headers?.["x-parapet-error"]) });
      }
      await model.close();
      return parked;
    },
    using: () => {},
  };
}

brokerSuite("the embedded broker", create);
