import { accessSync, constants, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { AppError } from "parapet/errors";
import { type BrokerServer, brokerServer } from "./broker-server.ts";
import { type DatabaseServer, databaseServer } from "./database-server.ts";
import { takeLock } from "./dev-lock.ts";
import { DevService, type PlacedService } from "./dev-service.ts";
import { overview } from "./overview.ts";
import { ensureDatabases } from "./postgres-databases.ts";
import { servicePorts } from "./service-ports.ts";
import { EXIT_INTERRUPTED, type StopSignals, stopSignals } from "./stop-signals.ts";
import { Terminal } from "./terminal.ts";
import { findServices, type Service, urlVariableOf } from "./workspace.ts";

export interface DevOptions {
  /** The workspace. */
  readonly root: string;
  /** `PORT`, `DATABASE_URL`, `AMQP_URL` and `NO_COLOR` are for the supervisor; the services get all of it. */
  readonly env: NodeJS.ProcessEnv;
  readonly out: Writable & { readonly isTTY?: boolean };
}

interface Session {
  readonly options: DevOptions;
  readonly services: readonly Service[];
  /** Where everything of a run is: lock, data, bundles. */
  readonly home: string;
  readonly terminal: Terminal;
  readonly stops: StopSignals;
  /** What a second Ctrl-C does. */
  readonly kills: (() => void)[];
}

/**
 * Runs every service of the workspace on a PostgreSQL that is there or started here, until Ctrl-C: built, migrated,
 * and restarted after each change. Throws AppErrors (`conflict` for a taken port, a run that goes on, a data folder that
 * does not open; `invalid`, `not_found`, `unavailable`, `forbidden`) whose messages tell people what to do.
 */
export async function dev(options: DevOptions): Promise<void> {
  const services = findServices(options.root);
  const home = prepareHome(options.root);
  const lock = await takeLock(join(home, "dev.lock"));
  const kills = [lock.release];
  const stops = stopSignals(() => killAll(kills));
  // A screen that is gone ends the run as Ctrl-C does. It stays: the last words fail when nobody waits any more.
  options.out.on("error", stops.stop);
  try {
    const terminal = terminalFor(options, services);
    await runOnDatabase({ options, services, home, terminal, stops, kills }, lock.tookOver);
    terminal.say("stopped");
  } catch (thrown) {
    if (!stops.signal.aborted || thrown !== stops.signal.reason) throw thrown;
  } finally {
    stops.close();
    lock.release();
  }
}

function prepareHome(root: string): string {
  const home = join(root, ".parapet");
  try {
    mkdirSync(home, { recursive: true });
    accessSync(home, constants.W_OK);
    writeFileSync(join(home, ".gitignore"), "*\n");
    return home;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "";
    throw new AppError("forbidden", `${home} can't be written, maybe because another user made it: ${why}`, { cause });
  }
}

function terminalFor({ out, env }: DevOptions, services: readonly Service[]): Terminal {
  const colour = out.isTTY === true && (env.NO_COLOR ?? "") === "";
  return new Terminal({ out, colour, names: services.map(({ name }) => name) });
}

async function runOnDatabase(session: Session, afterKill: boolean): Promise<void> {
  const { options, services, home, terminal, stops, kills } = session;
  const ports = await servicePorts({ count: services.length, first: options.env.PORT, afterKill });
  const database = await databaseServer({
    given: options.env.DATABASE_URL,
    dir: join(home, "postgres"),
    signal: stops.signal,
    notify: (message) => terminal.say(message),
  });
  kills.push(database.kill);
  try {
    const urls = await ensureDatabases(
      database.url,
      services.map(({ name }) => name),
    );
    const urlOf = (index: number) => `http://127.0.0.1:${ports[index]}`;
    const neighbours = Object.fromEntries(services.map((service, index) => [urlVariableOf(service), urlOf(index)]));
    await runOnBroker(session, database, (broker) =>
      services.map((service, index) => ({
        ...service,
        port: ports[index] ?? 0,
        databaseUrl: urls[index] ?? database.url,
        amqpUrl: broker.url,
        neighbours,
        workDir: join(home, "services", service.name),
      })),
    );
  } finally {
    await database.stop();
  }
}

async function runOnBroker(
  session: Session,
  database: DatabaseServer,
  place: (broker: BrokerServer) => readonly PlacedService[],
): Promise<void> {
  const broker = await brokerServer(session.options.env.AMQP_URL);
  try {
    await runServices(session, place(broker), { database, broker });
  } finally {
    await broker.stop();
  }
}

async function runServices(
  session: Session,
  placed: readonly PlacedService[],
  { database, broker }: { readonly database: DatabaseServer; readonly broker: BrokerServer },
): Promise<void> {
  const { options, terminal, stops, kills } = session;
  const services = placed.map((service) => new DevService({ ...options, service, terminal }));
  kills.push(...services.map((service) => () => service.kill()));
  stops.signal.addEventListener("abort", () => terminal.say("stopping; Ctrl-C again ends it at once"));
  const running = services.map((service) => service.run(stops.signal));
  const shown = Promise.all(services.map((service) => service.tried())).then(async () => {
    if (!stops.signal.aborted)
      terminal.print(
        await overview(placed, [
          ["databases", database.shown],
          ["events", broker.shown],
        ]),
      );
  });
  try {
    await Promise.race([Promise.all([...running, shown]), failureOf(database)]);
  } finally {
    stops.stop();
    await Promise.allSettled(running);
  }
}

async function failureOf(database: DatabaseServer): Promise<never> {
  const lines = await database.ended;
  throw new AppError("unavailable", `PostgreSQL ended by itself; start again, and it recovers\n  it said:${lines}`);
}

function killAll(kills: readonly (() => void)[]): void {
  for (const kill of kills) kill();
  process.exit(EXIT_INTERRUPTED);
}
