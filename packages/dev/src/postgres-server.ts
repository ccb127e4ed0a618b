import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { AppError } from "parapet/errors";
import { LogTail } from "./log-tail.ts";
import { poll, settled } from "./poll.ts";
import { freePort } from "./ports.ts";
import type { Account } from "./postgres-account.ts";
import type { PostgresBinaries } from "./postgres-binaries.ts";
import { howToStartAnew } from "./postgres-cluster.ts";
import { type PostgresProcess, runPostgres } from "./postgres-command.ts";
import { askServer, readPostmaster } from "./postmaster-pid.ts";
import { isAlive, signalProcess } from "./process-signals.ts";

/** A PostgreSQL that accepts connections: a child of ours, or one that a killed process left behind. */
export interface PostgresServer {
  readonly port: number;
  /** Settles when it ended, asked or not, with its last log lines. */
  readonly ended: Promise<string>;
  /** Ends it: fast, then hard, within 20 seconds. */
  stop(): Promise<void>;
  /** Ends it at once; the next start recovers what was committed. */
  kill(): void;
}

export interface ServerOptions {
  readonly dir: string;
  readonly binaries: PostgresBinaries;
  readonly account: Account | undefined;
  /** False for data that nobody wants back after a crash of the machine. */
  readonly durable: boolean;
  readonly signal: AbortSignal | undefined;
}

// Recovery of at most max_wal_size takes seconds.
const READY_TIMEOUT_MS = 30_000;
// A fast shutdown writes a checkpoint of 16 MB buffers; an immediate one kills what is left after 5 s.
const FAST_STOP_MS = 10_000;
const IMMEDIATE_STOP_MS = 7_000;
const KILLED_MS = 1_000;
const GONE_EVERY_MS = 100;

/** Takes over a server that still has the data folder, when it answers; undefined when there is none. */
export async function adoptServer(dir: string, signal: AbortSignal | undefined): Promise<PostgresServer | undefined> {
  const found = await poll(
    async () => {
      const postmaster = await readPostmaster(dir);
      if (postmaster === undefined || !isAlive(postmaster.pid)) return "none";
      const answer = await askServer(dir, postmaster.port);
      if (answer === "nobody") return "none";
      return answer === "ready" ? postmaster : undefined;
    },
    { timeoutMs: READY_TIMEOUT_MS, signal },
  );
  if (found === undefined || found === "none") return undefined;
  return toServer(found.pid, found.port, gone(dir, found.pid));
}

/** The end of a server that isn't a child: nobody tells us, and where nobody reaps orphans its process id stays. */
async function gone(dir: string, pid: number): Promise<string> {
  while (isAlive(pid) && (await readPostmaster(dir))?.pid === pid)
    await delay(GONE_EVERY_MS, undefined, { ref: false });
  return "";
}

/**
 * Starts PostgreSQL on the data folder and a free port of loopback, and waits until it is ready. Whether a
 * `postmaster.pid` that is there is stale, PostgreSQL judges itself. Throws `conflict` when it can't open the folder,
 * saying what to do.
 */
export async function launchServer(options: ServerOptions): Promise<PostgresServer> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const attempt = await attemptLaunch(options, await freePort());
    if (typeof attempt !== "string") return attempt;
    options.signal?.throwIfAborted();
    if (performance.now() >= deadline || !PASSING.test(attempt)) throw refused(options.dir, attempt);
    await delay(200);
  }
}

// Somebody took the port in between; or a killed server's children haven't noticed yet.
const PASSING = /could not bind|pre-existing shared memory block/;

/** A ready server, or the last log lines of one that gave up. */
async function attemptLaunch(options: ServerOptions, port: number): Promise<PostgresServer | string> {
  const { dir, binaries, account, signal } = options;
  const args = ["-D", dir, "-p", String(port), ...settings(options)];
  const child = await runPostgres({ binaries, account, program: "postgres", args, cwd: dir });
  const tail = new LogTail(child.stderr);
  const server = toServer(pidOf(child), port, endOf(child, tail));
  try {
    const ready = await poll(() => isReady(child, dir), { timeoutMs: READY_TIMEOUT_MS, signal });
    if (ready === true) return server;
  } catch (thrown) {
    await server.stop();
    throw thrown;
  }
  await server.stop();
  return server.ended;
}

async function endOf(child: PostgresProcess, tail: LogTail): Promise<string> {
  const closed = once(child, "close");
  await once(child, "exit");
  // Its last words are still in the pipe, which its own children may hold open longer than anybody wants to wait.
  await settled(closed, 1_000);
  return tail.text();
}

/** True when ready, false when it ended, undefined while it starts. */
async function isReady(child: PostgresProcess, dir: string): Promise<boolean | undefined> {
  if (child.exitCode !== null || child.signalCode !== null) return false;
  const postmaster = await readPostmaster(dir);
  return postmaster?.pid === child.pid && postmaster?.ready === true ? true : undefined;
}

function settings({ durable }: ServerOptions): string[] {
  const values = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    // Eight services with a pool of twenty, and some for people.
    max_connections: "200",
    shared_buffers: "16MB",
    // A database for development must not fill the project's disk with a gigabyte of log.
    max_wal_size: "128MB",
    // A kill of the server may take the last half second of commits, never the order of what is left, and no commit
    // waits for the disk. What a killed service wrote is safe in any case.
    synchronous_commit: "off",
    fsync: durable ? "on" : "off",
  };
  return Object.entries(values).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

function refused(dir: string, tail: string): AppError {
  const holder = /lock file "postmaster.pid" already exists/.test(tail);
  const advice = holder
    ? "end the process that has it, then start again"
    : `its files may be damaged: ${howToStartAnew(dir)}`;
  return new AppError(
    "conflict",
    `PostgreSQL does not start on the data folder ${dir}\n  ${advice}\n  it says:${tail}`,
  );
}

function toServer(pid: number, port: number, ended: Promise<string>): PostgresServer {
  let over = false;
  const end = ended.finally(() => {
    over = true;
  });
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    const steps = [
      ["SIGINT", FAST_STOP_MS],
      ["SIGQUIT", IMMEDIATE_STOP_MS],
      ["SIGKILL", KILLED_MS],
    ] as const;
    for (const [signal, waitMs] of steps) {
      // An id may name somebody else once its process is over.
      if (over) return;
      signalProcess(pid, signal);
      await settled(end, waitMs);
    }
  };
  return {
    port,
    ended: end,
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
    kill: () => {
      if (!over) signalProcess(pid, "SIGQUIT");
    },
  };
}

function pidOf(child: PostgresProcess): number {
  if (child.pid === undefined) throw new AppError("internal", "a process that was spawned has an id");
  return child.pid;
}
