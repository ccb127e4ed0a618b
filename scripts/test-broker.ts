import { startEmbeddedBroker } from "@parapet/dev";
import { connect } from "amqplib";
import { AppError } from "parapet/errors";

/** The broker that a test run uses. */
export interface TestBroker {
  readonly url: string;
  stop(): Promise<void>;
}

const STANDARD_URL = "amqp://guest:guest@127.0.0.1:5672";
const ANSWER_TIMEOUT_MS = 3000;

/**
 * The RabbitMQ at `AMQP_URL`, else the one at the standard port, else an embedded broker that ends with the run. Says on stdout
 * which. Throws `unavailable` when `REQUIRE_SERVICES` is 1 and there is no real one.
 */
export async function openTestBroker(env: NodeJS.ProcessEnv): Promise<TestBroker> {
  const url = env.AMQP_URL || STANDARD_URL;
  try {
    console.log(`${await describeServer(url)} (real)`);
    return { url, stop: async () => {} };
  } catch (cause) {
    const reason = `no usable rabbitmq at ${env.AMQP_URL ? "AMQP_URL" : "127.0.0.1:5672"}`;
    if (env.REQUIRE_SERVICES === "1")
      throw new AppError("unavailable", `${reason}; REQUIRE_SERVICES=1 asks for a real one`, { cause });
    console.log(reason);
  }
  const broker = await startEmbeddedBroker();
  console.log(`broker at ${new URL(broker.url).host} (embedded)`);
  return broker;
}

/** Connects and gives product, version and address, never a password. Throws when that fails. */
async function describeServer(url: string): Promise<string> {
  const model = await connect(url, { timeout: ANSWER_TIMEOUT_MS });
  model.on("error", () => {});
  const { product, version } = model.connection.serverProperties;
  await model.close();
  return `${String(product).toLowerCase()} ${version} at ${new URL(url).host}`;
}
