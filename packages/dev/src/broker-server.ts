import { AppError } from "parapet/errors";
import { startEmbeddedBroker } from "./embedded-broker.ts";

/** The broker that the services' events go through. */
export interface BrokerServer {
  readonly url: string;
  /** What and where it is, for people. */
  readonly shown: string;
  stop(): Promise<void>;
}

/** The broker of `AMQP_URL`, or an embedded one. Throws `invalid` for a URL that isn't a RabbitMQ's. */
export async function brokerServer(given: string | undefined): Promise<BrokerServer> {
  if (given !== undefined && given !== "") return { url: given, shown: shownOf(given), stop: async () => {} };
  const { url, stop } = await startEmbeddedBroker();
  return { url, stop, shown: `an embedded broker on ${new URL(url).host}, which keeps nothing when it ends` };
}

function shownOf(given: string): string {
  if (!URL.canParse(given) || !/^amqps?:$/.test(new URL(given).protocol)) {
    throw new AppError("invalid", "AMQP_URL must be a URL like amqp://user:password@localhost:5672");
  }
  const { protocol, host } = new URL(given);
  return `the server of AMQP_URL, ${protocol}//${host}`;
}
