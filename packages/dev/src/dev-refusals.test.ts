import assert from "node:assert/strict";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { type DevRun, ScratchWorkspace } from "./dev.harness.ts";
import { portOf } from "./ports.ts";

function workspaceWithService(t: TestContext): ScratchWorkspace {
  const workspace = new ScratchWorkspace(t);
  workspace.addService("greeter");
  return workspace;
}

/** Ends with 1, says all of this, and nothing that looks like a stack. */
async function refuses(run: DevRun, ...sayings: readonly RegExp[]): Promise<void> {
  assert.equal(await run.exitCode(), 1);
  for (const saying of sayings) assert.match(run.output, saying);
  assert.doesNotMatch(run.output, /\n\s+at /);
}

test("a second start in the same folder names the first and how to stop it", async (t) => {
  const workspace = workspaceWithService(t);
  const first = workspace.run();
  await first.urlOf("greeter");
  const { pid } = first.child;
  await refuses(
    workspace.run(),
    new RegExp(`runs here already, as process ${pid}`),
    new RegExp(`Ctrl-C in its terminal, or with: kill ${pid}`),
  );
  assert.equal(first.child.exitCode, null);
});

test("a taken port is refused before anything starts, with the variable that chooses another", async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const port = portOf(server);
  const run = workspaceWithService(t).run({ PORT: String(port) });
  await refuses(run, new RegExp(`port ${port} is taken`), /choose another: PORT=\d+ npm start/);
  assert.doesNotMatch(run.output, /PostgreSQL/);
});

test("a data folder that does not open is refused with what to do and PostgreSQL's words", async (t) => {
  const workspace = workspaceWithService(t);
  workspace.write(".parapet/postgres/PG_VERSION", "18\n");
  const run = workspace.run();
  await refuses(run, /does not start on the data folder \S+postgres/, /move it away \(mv '/, /it says:\n.*postgres/);
});
