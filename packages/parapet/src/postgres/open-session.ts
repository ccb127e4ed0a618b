import { type Context, orDone } from "../context/index.ts";
import { type ConnectionOptions, clientSettings, configureSession } from "./connection.ts";
import { driverClient } from "./driver-client.ts";
import { guardedClient } from "./guarded-client.ts";
import { Session, type SessionOptions } from "./session.ts";
import { databaseError } from "./sqlstate.ts";

/** Opens a session of its own, outside of any pool; `close` it. Throws `unavailable` when the server can't be reached. */
export async function openSession(
  ctx: Context,
  url: string,
  options: ConnectionOptions & SessionOptions,
): Promise<Session> {
  ctx.throwIfDone();
  const client = guardedClient(clientSettings(url, options));
  const session = new Session(driverClient(client), options);
  try {
    await orDone(ctx, client.connect());
    await configureSession(ctx, (ctx, query) => session.run(ctx, query), { ...options, url });
    return session;
  } catch (thrown) {
    session.destroy();
    throw databaseError(thrown, "connecting");
  }
}
