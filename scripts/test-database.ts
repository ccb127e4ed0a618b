import { startEmbeddedPostgres } from "@parapet/dev";
import { AppError } from "parapet/errors";
import { dropSandboxTemplates } from "parapet/testing";
import pg from "pg";

/** The PostgreSQL that a test run uses. */
export interface TestDatabase {
  readonly url: string;
  /** It works on this run's account, and only for it. */
  readonly isEmbedded: boolean;
  stop(): Promise<void>;
}

const STANDARD_URL = "postgres://postgres@127.0.0.1:5432/postgres";

// A local server answers in milliseconds; one that takes seconds is no use for tests.
const ANSWER_TIMEOUT_MS = 3_000;

/**
 * The PostgreSQL at `DATABASE_URL`, else the one at the standard port, else an embedded one that ends with the run.
 * Says on stdout which. A `DATABASE_URL` that does not answer is how one asks for the embedded server. Throws when
 * `REQUIRE_SERVICES` is 1 and there is no real one.
 */
export async function openTestDatabase(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<TestDatabase> {
  const url = env.DATABASE_URL || STANDARD_URL;
  try {
    console.log(`${await describeServer(url)} (real)`);
    return { url, isEmbedded: false, stop: dropSandboxTemplates };
  } catch (thrown) {
    const reason = `no usable postgresql at ${env.DATABASE_URL ? "DATABASE_URL" : "127.0.0.1:5432"}: ${reasonOf(thrown)}`;
    if (env.REQUIRE_SERVICES === "1") {
      throw new AppError("unavailable", `${reason}; REQUIRE_SERVICES=1 asks for a real one`, { cause: thrown });
    }
    console.log(reason);
  }
  return openEmbedded(signal);
}

async function openEmbedded(signal: AbortSignal): Promise<TestDatabase> {
  const server = await startEmbeddedPostgres({ signal });
  try {
    console.log(`${await describeServer(server.url)} (embedded)`);
  } catch (thrown) {
    await server.stop();
    throw thrown;
  }
  return { url: server.url, isEmbedded: true, stop: () => server.stop() };
}

/** Connects and gives version and address, never a password. Throws when tests could not work there. */
async function describeServer(url: string): Promise<string> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: ANSWER_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
  });
  client.on("error", () => {});
  await client.connect();
  try {
    const { rows } = await client.query<{ version: string; may_create: boolean }>(
      "select version(), rolsuper or rolcreatedb as may_create from pg_roles where rolname = current_user",
    );
    if (rows[0]?.may_create !== true) throw new AppError("forbidden", "its user may not create databases");
    return `postgresql ${/^PostgreSQL (\S+)/.exec(rows[0].version)?.[1]} at ${client.host}:${client.port}`;
  } finally {
    await client.end();
  }
}

function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return "no answer";
  // A refused connection to a name with two addresses has a code and no message.
  return thrown.message || ("code" in thrown ? String(thrown.code) : "no answer");
}
