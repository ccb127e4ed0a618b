import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { ask, askUntil, ScratchWorkspace } from "./dev.harness.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded-postgres.ts";
import { poll } from "./poll.ts";
import { isAlive } from "./process-signals.ts";

let postgres: EmbeddedPostgres;
before(async () => {
  postgres = await startEmbeddedPostgres();
});
after(() => postgres.stop());

/** A workspace with one service, and `parapet dev` in it on the shared server. */
async function running(t: TestContext) {
  const workspace = new ScratchWorkspace(t);
  workspace.addService("greeter");
  const run = workspace.run({ DATABASE_URL: postgres.url });
  return { workspace, run, url: await run.urlOf("greeter") };
}

test("every service has its port and its migrated database, and the table says where they are", async (t) => {
  const workspace = new ScratchWorkspace(t);
  workspace.addService("greeter");
  workspace.addService("parrot");
  const run = workspace.run({ DATABASE_URL: postgres.url });
  await run.shows(/Ctrl-C stops everything/);
  assert.match(run.output, /greeter +\| .*migrating select 1; in postgres:\S+\/greeter/);
  assert.match(run.output, /parrot +\| .*migrating select 1; in postgres:\S+\/parrot/);
  assert.match(run.output, /the server of DATABASE_URL, postgres:\/\/127\.0\.0\.1/);
  for (const [, url] of run.output.matchAll(/ {2}(?:greeter|parrot) +(http:\S+)/g)) {
    const { amqp, parrot, ...answer } = await ask(url ?? "");
    assert.match(run.output, new RegExp(`parrot +http://localhost:${new URL(parrot ?? "").port}\\b`));
    assert.deepEqual({ ...answer, pid: 0 }, { greeting: "hello", pid: 0, drain: "0" });
    assert.ok(run.output.includes(`an embedded broker on ${new URL(amqp).host}`), run.output);
  }
  assert.ok(!run.output.includes("\u001b["), "no colours where there is no terminal");
});

test("a broker that is there is used, and its password is not shown", async (t) => {
  const workspace = new ScratchWorkspace(t);
  workspace.addService("greeter");
  const amqp = "amqp://guest:hush@127.0.0.1:1";
  const run = workspace.run({ DATABASE_URL: postgres.url, AMQP_URL: amqp });
  await run.shows(/the server of AMQP_URL, amqp:\/\/127\.0\.0\.1:1/);
  assert.equal((await ask(await run.urlOf("greeter"))).amqp, amqp);
  assert.ok(!run.output.includes("hush"), run.output);
});

test("a saved file restarts the service in about a second", async (t) => {
  const { workspace, run, url } = await running(t);
  const { pid } = await ask(url);
  const savedAt = performance.now();
  workspace.write("services/greeter/cmd/server/greeting.ts", 'export const greeting: string = "hi";\n');
  const answer = await askUntil(url, ({ greeting }) => greeting === "hi");
  const tookMs = performance.now() - savedAt;
  t.diagnostic(`${tookMs.toFixed(0)} ms from the save to the answer`);
  assert.notEqual(answer.pid, pid);
  assert.equal(isAlive(pid), false);
  assert.ok(tookMs < 5_000);
  assert.equal(run.output.match(/migrating/g)?.length, 1, "unchanged migrations are not run again");
});

test("a save that changes nothing restarts nothing, and a new file in a new folder is noticed", async (t) => {
  const { workspace, run, url } = await running(t);
  const { pid } = await ask(url);
  workspace.write("services/greeter/cmd/server/greeting.ts", 'export const greeting: string = "hello";\n');
  workspace.write("services/greeter/cmd/server/greeting.ts", 'export { greeting } from "./words/words.ts";\n');
  await run.shows(/Could not resolve ".\/words\/words.ts"/);
  assert.equal((await ask(url)).pid, pid);
  workspace.write("services/greeter/cmd/server/words/words.ts", 'export const greeting: string = "from words";\n');
  await askUntil(url, ({ greeting }) => greeting === "from words");
});

test("a build that fails shows where, and the old process runs on until the next that works", async (t) => {
  const { workspace, run, url } = await running(t);
  const { pid } = await ask(url);
  workspace.write("services/greeter/cmd/server/greeting.ts", "export const greeting = ;\n");
  await run.shows(/greeter does not build[\s\S]*greeting\.ts:1:24/);
  await run.shows(/greeter runs on as it was/);
  assert.equal((await ask(url)).pid, pid);
  workspace.write("services/greeter/cmd/server/greeting.ts", 'export const greeting: string = "mended";\n');
  await askUntil(url, ({ greeting }) => greeting === "mended");
});

test("a migration that fails is shown, the old process runs on, and the mended one is run", async (t) => {
  const { workspace, run, url } = await running(t);
  const { pid } = await ask(url);
  workspace.write("services/greeter/migrations/0001_first.sql", "select broken;\n");
  await run.shows(/greeter could not be migrated: it ended with code 1, see above/);
  assert.equal((await ask(url)).pid, pid);
  workspace.write("services/greeter/migrations/0001_first.sql", "select 2;\n");
  await askUntil(url, (answer) => answer.pid !== pid);
  await run.shows(/migrating select 2;/);
});

test("a service that crashes is shown and started again, and the other is left alone", async (t) => {
  const workspace = new ScratchWorkspace(t);
  workspace.addService("greeter");
  workspace.addService("parrot");
  const run = workspace.run({ DATABASE_URL: postgres.url });
  const [url, other] = [await run.urlOf("greeter"), await run.urlOf("parrot")];
  const [{ pid }, before] = [await ask(url), await ask(other)];
  await ask(`${url}/crash`).catch(() => {});
  await run.shows(/greeter ended with code 3; it starts again in 0\.5 s/);
  await askUntil(url, (answer) => answer.pid !== pid);
  assert.equal((await ask(other)).pid, before.pid);
});

test("one Ctrl-C, which npm passes on a second time, stops everything and ends with 0", async (t) => {
  const { workspace, run, url } = await running(t);
  const { pid } = await ask(url);
  run.child.kill("SIGINT");
  run.child.kill("SIGINT");
  assert.equal(await run.exitCode(), 0);
  assert.match(run.output, /bye[\s\S]*stopped/);
  assert.equal(isAlive(pid), false);
  assert.equal(existsSync(join(workspace.root, ".parapet", "dev.lock")), false);
});

test("a terminal that closes stops everything too", async (t) => {
  const { run, url } = await running(t);
  const { pid } = await ask(url);
  run.child.stdout?.destroy();
  run.child.kill("SIGHUP");
  assert.equal(await run.exitCode(), 0);
  assert.equal(isAlive(pid), false);
});

test("a second Ctrl-C ends at once what does not want to stop", async (t) => {
  const { workspace, run, url } = await running(t);
  workspace.write("services/greeter/cmd/server/greeting.ts", 'export const greeting: string = "stubborn";\n');
  const { pid } = await askUntil(url, ({ greeting }) => greeting === "stubborn");
  run.child.kill("SIGTERM");
  await run.shows(/bye[\s\S]*bye/);
  const code = await poll(
    () => {
      run.child.kill("SIGTERM");
      return run.child.exitCode ?? undefined;
    },
    { timeoutMs: 8_000, everyMs: 100 },
  );
  assert.equal(code, 130);
  await ends(pid);
});

test("when the supervisor is killed its services end by themselves, and the next start has PostgreSQL, data and port again", async (t) => {
  const workspace = new ScratchWorkspace(t);
  workspace.addService("greeter");
  const first = workspace.run();
  const url = await first.urlOf("greeter");
  const { pid } = await ask(url);
  const postmaster = Number.parseInt(
    readFileSync(join(workspace.root, ".parapet/postgres/postmaster.pid"), "utf8"),
    10,
  );
  first.child.kill("SIGKILL");
  await first.exitCode();

  const second = workspace.run({ PORT: new URL(url).port });
  assert.equal(await second.urlOf("greeter"), url);
  assert.match(second.output, /took over the PostgreSQL of a run that was killed/);
  await ends(pid);
  second.child.kill("SIGTERM");
  assert.equal(await second.exitCode(), 0);
  await ends(postmaster);
});

/** Orphans are reaped by the system, which takes its time. */
async function ends(pid: number): Promise<void> {
  assert.ok(await poll(() => !isAlive(pid) || undefined, { timeoutMs: 10_000 }), `process ${pid} never ended`);
}
