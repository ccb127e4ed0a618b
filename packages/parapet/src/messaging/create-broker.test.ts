import assert from "node:assert/strict";
import test from "node:test";
import { hasCode } from "../errors/index.ts";
import { createRegistry } from "../metrics/index.ts";
import { testContext } from "../testing/index.ts";
import { createBroker } from "./create-broker.ts";

const SECRET = "hunter2-hunter2";

for (const url of ["", "nonsense", "http://localhost:5672", "amqp://", `redis://user:${SECRET}@localhost`]) {
  test(`${JSON.stringify(url.replace(SECRET, "…"))} is not where a RabbitMQ is, and the error repeats no secret`, () => {
    const { log } = testContext();
    assert.throws(
      () => createBroker(url, { log, metrics: createRegistry() }),
      (thrown) => hasCode(thrown, "invalid") && !JSON.stringify(thrown).includes(SECRET),
    );
  });
}

test("a broker that was not started has no message, and says so within its second", async () => {
  const { log } = testContext();
  const broker = createBroker("amqp://guest:guest@127.0.0.1:1", { log, metrics: createRegistry() });
  const sent = {
    id: "1",
    type: "a.b.c.v1",
    source: "a",
    key: "",
    time: new Date(0),
    data: Buffer.from("{}"),
    headers: {},
  };
  await assert.rejects(broker.publish(testContext(), sent), (thrown) => hasCode(thrown, "unavailable"));
  await broker.stop(testContext());
});
