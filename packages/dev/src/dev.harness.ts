import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { poll, settled } from "./poll.ts";

const packageDir = dirname(dirname(fileURLToPath(import.meta.url)));
const cli = join(packageDir, "..", "cli", "src", "main.ts");

/** Long for a busy machine; what is waited for takes a second on a quiet one. */
const PATIENCE_MS = 30_000;

/** A workspace below a temporary folder that anybody may enter, removed with the test once nothing runs there. */
export class ScratchWorkspace {
  readonly root: string;
  readonly #runs: DevRun[] = [];

  constructor(t: TestContext) {
    this.root = mkdtempSync(join(tmpdir(), "parapet-test-"));
    chmodSync(this.root, 0o755);
    t.after(() => this.#end());
  }

  /** Starts `parapet dev` here. */
  run(env: Readonly<Record<string, string>> = {}): DevRun {
    const run = new DevRun(this.root, env);
    this.#runs.push(run);
    return run;
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), text);
  }

  /** A service in three files that answers its greeting and its process id, and crashes when asked to. */
  addService(name: string): void {
    const folder = `services/${name}`;
    this.write(`${folder}/cmd/server/main.ts`, SERVICE);
    this.write(`${folder}/cmd/server/greeting.ts`, 'export const greeting: string = "hello";\n');
    this.write(`${folder}/migrations/0001_first.sql`, "select 1;\n");
  }

  async #end(): Promise<void> {
    await Promise.all(this.#runs.map((run) => run.end()));
    rmSync(this.root, { recursive: true, force: true });
  }
}

const SERVICE = `
import { createServer } from "node:http";
import migration from "../../migrations/0001_first.sql";
import { greeting } from "./greeting.ts";

const log = (msg: string) => console.log(JSON.stringify({ time: new Date().toISOString(), level: "info", msg }));
if (process.argv[2] === "migrate") {
  log("migrating " + migration.trim() + " in " + process.env.DATABASE_URL);
  process.exit(migration.includes("broken") ? 1 : 0);
}
const server = createServer((request, response) => {
  if (request.url === "/crash") process.exit(3);
  const { DRAIN_DELAY_MS: drain, AMQP_URL: amqp, PARROT_URL: parrot } = process.env;
  response.end(JSON.stringify({ greeting, pid: process.pid, drain, amqp, parrot }));
});
server.listen(Number(process.env.PORT));
process.on("SIGTERM", () => {
  log("bye");
  if (greeting === "stubborn") return;
  server.close();
  server.closeAllConnections();
});
`;

/** A running `parapet dev`, and all that it showed. */
export class DevRun {
  readonly child: ChildProcess;
  /** Settles after the end, when all that it said is here: a process's end may be known before its last words. */
  readonly #closed: Promise<true>;
  #output = "";

  constructor(root: string, env: Readonly<Record<string, string>>) {
    const flags = ["--conditions=parapet-source", "--import", import.meta.resolve("@parapet/dev/register")];
    this.child = spawn(process.execPath, [...flags, cli, "dev"], {
      cwd: root,
      env: { PATH: process.env.PATH, PORT: "0", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout?.on("data", (chunk) => this.#show(chunk));
    this.child.stderr?.on("data", (chunk) => this.#show(chunk));
    this.#closed = new Promise((resolve) => this.child.once("close", () => resolve(true)));
  }

  get output(): string {
    return this.#output;
  }

  /** The match of what it shows now or later. */
  async shows(pattern: RegExp): Promise<RegExpMatchArray> {
    const found = await poll(() => this.#output.match(pattern) ?? undefined, { timeoutMs: PATIENCE_MS });
    assert.ok(found, `${pattern} was never shown:\n${this.#output}`);
    return found;
  }

  /** Where the service is, once it is ready. */
  async urlOf(name: string): Promise<string> {
    return (await this.shows(new RegExp(`${name} is ready on (http://\\S+)`)))[1] ?? "";
  }

  /** Its exit code; null when a signal ended it. All that it said was then heard. */
  async exitCode(): Promise<number | null> {
    assert.ok(await settled(this.#closed, PATIENCE_MS), `it did not end in time:\n${this.#output}`);
    return this.child.exitCode;
  }

  /** Ends it, by force when it doesn't end in time. */
  async end(): Promise<void> {
    this.child.kill("SIGTERM");
    if ((await settled(this.#closed, PATIENCE_MS)) === true) return;
    this.child.kill("SIGKILL");
    await this.#closed;
  }

  #show(chunk: Buffer): void {
    this.#output += chunk;
  }
}

export interface Answer {
  readonly greeting: string;
  readonly pid: number;
  readonly drain: string;
  readonly amqp: string;
  /** Where a service of the name `parrot` is, if there is one. */
  readonly parrot?: string;
}

/** What a scratch service answers. */
export async function ask(url: string): Promise<Answer> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const response = await fetch(url, { headers: { connection: "close" }, signal });
  return JSON.parse(await response.text());
}

/** What the service answers, once it says what is expected of it. */
export async function askUntil(url: string, expected: (answer: Answer) => boolean): Promise<Answer> {
  const answer = await poll(
    async () => {
      const said = await ask(url).catch(() => undefined);
      return said !== undefined && expected(said) ? said : undefined;
    },
    { timeoutMs: PATIENCE_MS },
  );
  assert.ok(answer, "the service never answered as expected");
  return answer;
}
