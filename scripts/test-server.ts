import { once } from "node:events";
import { connect } from "node:net";
import { AppError } from "parapet/errors";

/** A server that tests use when there is one. */
interface TestServer {
  readonly name: string;
  /** Where its URL is, when it is not at the standard port. */
  readonly variable: "REDIS_URL" | "AMQP_URL";
  readonly standardUrl: string;
  readonly standardPort: number;
}

export const REDIS: TestServer = {
  name: "redis",
  variable: "REDIS_URL",
  standardUrl: "redis://127.0.0.1:6379",
  standardPort: 6379,
};
export const RABBITMQ: TestServer = {
  name: "rabbitmq",
  variable: "AMQP_URL",
  standardUrl: "amqp://guest:guest@127.0.0.1:5672",
  standardPort: 5672,
};

const ANSWER_TIMEOUT_MS = 3000;

/**
 * The server at its variable's URL, else the one at the standard port, or an empty text when none answers: what needs one is skipped
 * then. Says on stdout which. Throws `unavailable` when `REQUIRE_SERVICES` is 1 and there is none.
 */
export async function findTestServer(server: TestServer, env: NodeJS.ProcessEnv): Promise<string> {
  const { name, variable, standardUrl, standardPort } = server;
  const url = new URL(env[variable] || standardUrl);
  const port = Number(url.port || standardPort);
  const place = `${url.hostname}:${port}`;
  if (await answers(url.hostname, port)) {
    console.log(`${name} at ${place} (real)`);
    return env[variable] || standardUrl;
  }
  if (env.REQUIRE_SERVICES === "1") {
    throw new AppError("unavailable", `no ${name} answers at ${place}; REQUIRE_SERVICES=1 asks for a real one`);
  }
  console.log(`no ${name} answers at ${place}: tests that need one are skipped`);
  return "";
}

async function answers(hostname: string, port: number): Promise<boolean> {
  const socket = connect(port, hostname);
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
