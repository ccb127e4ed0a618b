import type { TestContext } from "node:test";
import { createRegistry } from "../../metrics/index.ts";
import { brokerSuite, rabbitSandbox, testContext } from "../../testing/index.ts";
import { createBroker } from "../create-broker.ts";

const create = async (t: TestContext) => {
  const { url, parked, using } = await rabbitSandbox(t);
  const connect = async () => {
    const { log } = testContext();
    const broker = createBroker(url, { log, metrics: createRegistry() });
    t.after(() => broker.stop(testContext()).then(() => {}));
    await broker.start(testContext());
    return broker;
  };
  return { connect, parked, using };
};

brokerSuite("RabbitMQ", create);
