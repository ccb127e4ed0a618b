import { createHash, randomBytes } from "node:crypto";
import pg from "pg";
import { AppError } from "../errors/index.ts";
import { createRegistry } from "../metrics/index.ts";
import { createDatabase, type Database, type Migrations } from "../postgres/index.ts";
import { testContext } from "./test-context.ts";
import type { TestScope } from "./test-scope.ts";

export interface SandboxOptions {
  /** The schema; none by default. */
  readonly migrations?: Migrations;
}

export interface PostgresSandbox {
  readonly url: string;
  /** Started, and stopped after the test. */
  readonly database: Database;
}

const DEFAULT_SERVER = "postgres://postgres@127.0.0.1:5432/postgres";
const CONNECT_TIMEOUT_MS = 5000;
const STATEMENT_TIMEOUT_MS = 60_000;
/** Held by one test process at a time while it finds, builds, clones or drops templates. ASCII `sandbox`. */
const LOCK_KEY = 32476749080194936n;
/** What is older, and used by nobody, was left behind by a test process that was killed. */
const MAX_AGE_MS = 6 * 60 * 60 * 1000;

/**
 * Makes a private, migrated database on the server of `DATABASE_URL` (or 127.0.0.1:5432), and drops it after the test.
 * It is cloned from a template that is built once for each set of migrations and shared by all test processes.
 */
export async function postgresSandbox(
  t: TestScope,
  { migrations = [] }: SandboxOptions = {},
): Promise<PostgresSandbox> {
  const name = nameOf(randomBytes(6).toString("hex"));
  await onServer(async (server) => {
    await server.query(`select pg_advisory_lock(${LOCK_KEY})`);
    await dropLeftovers(server);
    const template = (await findTemplate(server, migrations)) ?? (await buildTemplate(server, migrations));
    await server.query(`create database ${name} template ${template}`);
  });
  const ctx = testContext();
  const database = createDatabase(urlOf(name), { log: ctx.log, metrics: createRegistry(), migrations });
  t.after(async () => {
    await database.stop(ctx);
    await onServer((server) => server.query(`drop database if exists ${name} with (force)`));
  });
  await database.start(ctx);
  return { url: urlOf(name), database };
}

/** Drops the templates, at the end of a run of all tests; whoever still needs one builds it again. */
export async function dropSandboxTemplates(): Promise<void> {
  await onServer(async (server) => {
    await server.query(`select pg_advisory_lock(${LOCK_KEY})`);
    for (const template of await databasesLike(server, "^parapet_test_template_[0-9a-f]+_[0-9]+$")) {
      await server.query(`drop database if exists ${template}`);
    }
  });
}

async function findTemplate(server: pg.Client, migrations: Migrations): Promise<string | undefined> {
  const [template] = await databasesLike(server, `^parapet_test_${templateOf(migrations)}_[0-9]+$`);
  return template;
}

/** Builds under another name first: whatever has a template's name is whole. */
async function buildTemplate(server: pg.Client, migrations: Migrations): Promise<string> {
  const building = nameOf(randomBytes(6).toString("hex"));
  const template = nameOf(templateOf(migrations));
  await server.query(`create database ${building}`);
  try {
    if (migrations.length > 0) await migrate(urlOf(building), migrations);
    await server.query(`alter database ${building} rename to ${template}`);
  } catch (thrown) {
    await server.query(`drop database ${building} with (force)`);
    throw thrown;
  }
  // A session in the template would keep everybody from cloning it.
  await server.query(`alter database ${template} allow_connections false`);
  return template;
}

async function migrate(url: string, migrations: Migrations): Promise<void> {
  const ctx = testContext();
  const { commands } = createDatabase(url, { log: ctx.log, metrics: createRegistry(), migrations });
  await commands?.migrate?.(ctx);
}

async function dropLeftovers(server: pg.Client): Promise<void> {
  for (const datname of await databasesLike(server, "^parapet_test_(template_)?[0-9a-f]+_[0-9]+$")) {
    const madeAt = Number(datname.slice(datname.lastIndexOf("_") + 1));
    // Not by force: somebody may be looking at it in a debugger.
    if (Date.now() - madeAt > MAX_AGE_MS) await server.query(`drop database if exists ${datname}`).catch(() => {});
  }
}

async function databasesLike(server: pg.Client, pattern: string): Promise<string[]> {
  const { rows } = await server.query<{ datname: string }>("select datname from pg_database where datname ~ $1", [
    pattern,
  ]);
  return rows.map(({ datname }) => datname);
}

/** What the template of these migrations is named after. */
export function templateOf(migrations: Migrations): string {
  const history = migrations.map(({ id, checksum }) => `${id} ${checksum}`).join("\n");
  return `template_${createHash("sha256").update(history).digest("hex").slice(0, 12)}`;
}

function nameOf(what: string): string {
  return `parapet_test_${what}_${Date.now()}`;
}

function serverUrl(): string {
  return process.env.DATABASE_URL || DEFAULT_SERVER;
}

function urlOf(database: string): string {
  const url = new URL(serverUrl());
  url.pathname = `/${database}`;
  return url.href;
}

async function onServer<T>(work: (server: pg.Client) => Promise<T>): Promise<T> {
  const server = new pg.Client({
    connectionString: serverUrl(),
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
  });
  server.on("error", () => {});
  await server.connect().catch((cause) => {
    throw new AppError(
      "unavailable",
      "tests need a postgresql server, and none answers: start one on 127.0.0.1:5432 with the role postgres, or set DATABASE_URL to one where databases may be created",
      { cause },
    );
  });
  try {
    return await work(server);
  } finally {
    await server.end();
  }
}
