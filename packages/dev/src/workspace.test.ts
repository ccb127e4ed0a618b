import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { hasCode } from "parapet/errors";
import { findServices, urlVariableOf, versionOf } from "./workspace.ts";

/** A workspace of services and what each depends on; undefined has no manifest. */
function workspace(t: TestContext, services: Readonly<Record<string, readonly string[] | undefined>>): string {
  const root = mkdtempSync(join(tmpdir(), "workspace-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [name, neighbours] of Object.entries(services)) {
    const dir = join(root, "services", name);
    mkdirSync(join(dir, "cmd/server"), { recursive: true });
    writeFileSync(join(dir, "cmd/server/main.ts"), "");
    const dependencies = Object.fromEntries((neighbours ?? []).map((other) => [`@services/${other}`, "1.0.0"]));
    const manifest = {
      name: `@services/${name}`,
      version: "1.2.3",
      dependencies: { parapet: "1.0.0", ...dependencies },
    };
    if (neighbours !== undefined) writeFileSync(join(dir, "package.json"), JSON.stringify(manifest));
  }
  return root;
}

const namesIn = (root: string) => findServices(root).map(({ name }) => name);

test("services come by name, each after those that it depends on", (t) => {
  assert.deepEqual(namesIn(workspace(t, { users: [], orders: ["users"], billing: ["orders", "users"] })), [
    "users",
    "orders",
    "billing",
  ]);
  assert.deepEqual(namesIn(workspace(t, { b: undefined, a: [], c: ["a"] })), ["a", "b", "c"]);
});

test("services that depend on each other come by name", (t) => {
  assert.deepEqual(namesIn(workspace(t, { b: ["a"], a: ["b"], c: ["c"] })), ["c", "a", "b"]);
});

test("a workspace without services says what one is", (t) => {
  assert.throws(
    () => namesIn(workspace(t, {})),
    (thrown) => hasCode(thrown, "not_found") && thrown.message.includes("services/<name>/cmd/server/main.ts"),
  );
});

test("a service says its version, and is found by a variable with its name", (t) => {
  const [bare, service] = findServices(workspace(t, { "a-b": [], a: undefined }));
  assert.deepEqual([bare && versionOf(bare), service && versionOf(service)], ["0.0.0", "1.2.3"]);
  assert.equal(service && urlVariableOf(service), "A_B_URL");
});
