import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { connect } from "amqplib";
import { AppError } from "../errors/index.ts";
import { eventually } from "./eventually.ts";
import { LOOPBACK } from "./loopback.ts";
import { findCommand, sparePort } from "./own-server.ts";
import type { SkippableScope } from "./test-scope.ts";

/** A RabbitMQ server that belongs to one test, which may do to it what it likes. */
export interface OwnRabbit {
  readonly url: string;
  /** Runs `rabbitmqctl` for it, and gives what it prints. */
  ctl(...args: readonly string[]): Promise<string>;
  /**
   * Ends the server at once, as a crash does. What was confirmed stays, except that RabbitMQ writes down its quorum queues seconds
   * after it made them: one that is younger has no leader after the restart.
   */
  kill(): Promise<void>;
  /** Starts it again, with what it had, on the same port. */
  restart(): Promise<void>;
}

/** Where Debian keeps the commands themselves; those on the PATH insist on a user of their own. */
const DEBIAN = "/usr/lib/rabbitmq/bin";
/** Erlang takes its time, the more on a busy machine. */
const START_TIMEOUT_MS = 90_000;
const CTL_TIMEOUT_MS = 60_000;

/**
 * Starts a `rabbitmq-server` on a free loopback port, with data and settings of its own; it is gone when the test is, in some ten
 * seconds. Where there is none the test is skipped, and gets undefined.
 */
export async function ownRabbit(t: SkippableScope): Promise<OwnRabbit | undefined> {
  const [server, ctl] = ["rabbitmq-server", "rabbitmqctl"].map((command) => findCommand(command, DEBIAN));
  if (server === undefined || ctl === undefined) {
    t.skip("there is no rabbitmq-server here, and this test needs one that it can break");
    return undefined;
  }
  const ports = { amqp: await sparePort(), cluster: await sparePort() };
  const rabbit = new OwnRabbitServer({ server, ctl }, ports);
  t.after(() => rabbit.close());
  await rabbit.restart();
  return rabbit;
}

class OwnRabbitServer implements OwnRabbit {
  readonly #commands: { readonly server: string; readonly ctl: string };
  readonly #port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), "parapet-rabbit-"));
  readonly #env: NodeJS.ProcessEnv;
  #process: ChildProcess | undefined;

  constructor(
    commands: { readonly server: string; readonly ctl: string },
    ports: { readonly amqp: number; readonly cluster: number },
  ) {
    this.#commands = commands;
    this.#port = ports.amqp;
    const place = (name: string) => join(this.#folder, name);
    mkdirSync(place("data"));
    writeFileSync(place("enabled_plugins"), "[].");
    writeFileSync(place("rabbitmq-env.conf"), "");
    writeFileSync(place("rabbitmq.conf"), "heartbeat = 10\n");
    this.#env = {
      PATH: process.env.PATH,
      // Where Erlang keeps the secret that the commands share.
      HOME: this.#folder,
      RABBITMQ_NODENAME: `parapet_${ports.amqp}@localhost`,
      RABBITMQ_NODE_IP_ADDRESS: LOOPBACK,
      RABBITMQ_NODE_PORT: String(ports.amqp),
      RABBITMQ_DIST_PORT: String(ports.cluster),
      RABBITMQ_MNESIA_BASE: place("data"),
      RABBITMQ_LOG_BASE: place("log"),
      RABBITMQ_PID_FILE: place("pid"),
      RABBITMQ_ENABLED_PLUGINS_FILE: place("enabled_plugins"),
      RABBITMQ_CONFIG_FILE: place("rabbitmq"),
      RABBITMQ_CONF_ENV_FILE: place("rabbitmq-env.conf"),
    };
  }

  get url(): string {
    return `amqp://guest:guest@${LOOPBACK}:${this.#port}`;
  }

  async ctl(...args: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(this.#commands.ctl, args, {
      env: this.#env,
      timeout: CTL_TIMEOUT_MS,
    });
    return stdout;
  }

  async kill(): Promise<void> {
    const server = this.#process;
    this.#process = undefined;
    if (server?.pid === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const gone = once(server, "exit");
    // Its helpers too.
    process.kill(-server.pid, "SIGKILL");
    await gone;
  }

  async restart(): Promise<void> {
    await this.kill();
    const server = spawn(this.#commands.server, { env: this.#env, stdio: "ignore", detached: true });
    this.#process = server;
    await once(server, "spawn");
    const answers = async (): Promise<boolean> => {
      if (server.exitCode !== null)
        throw new AppError("unavailable", "a rabbitmq-server of the test's own does not start");
      const model = await connect(this.url, { timeout: 2000 }).catch(() => undefined);
      await model?.close();
      return model !== undefined;
    };
    await eventually(answers, START_TIMEOUT_MS);
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
