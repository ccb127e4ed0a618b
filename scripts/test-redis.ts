import { once } from "node:events";
import { connect } from "node:net";
import { AppError } from "parapet/errors";

const STANDARD_URL = "redis://127.0.0.1:6379";
const STANDARD_PORT = 6379;
const ANSWER_TIMEOUT_MS = 3000;

/**
 * The Redis at `REDIS_URL`, else the one at the standard port, or an empty text when none answers: what needs one is skipped
 * then. Says on stdout which. Throws `unavailable` when `REQUIRE_SERVICES` is 1 and there is none.
 */
export async function findTestRedis(env: NodeJS.ProcessEnv): Promise<string> {
  const url = new URL(env.REDIS_URL || STANDARD_URL);
  const place = `${url.hostname}:${url.port || STANDARD_PORT}`;
  if (await answers(url)) {
    console.log(`redis at ${place} (real)`);
    return url.href;
  }
  if (env.REQUIRE_SERVICES === "1") {
    throw new AppError("unavailable", `no redis answers at ${place}; REQUIRE_SERVICES=1 asks for a real one`);
  }
  console.log(`no redis answers at ${place}: tests that need one are skipped`);
  return "";
}

async function answers({ hostname, port }: URL): Promise<boolean> {
  const socket = connect(Number(port || STANDARD_PORT), hostname);
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
