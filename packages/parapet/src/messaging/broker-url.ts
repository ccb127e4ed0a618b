import { AppError } from "../errors/index.ts";

/** Throws `invalid` when the URL is not one of a RabbitMQ. */
export function assertBrokerUrl(url: string): void {
  const { protocol, hostname } = URL.canParse(url) ? new URL(url) : { protocol: "", hostname: "" };
  if ((protocol !== "amqp:" && protocol !== "amqps:") || hostname === "")
    throw new AppError("invalid", "the url of a broker is amqp:// or amqps://, and a host");
}
