import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { hasCode } from "parapet/errors";
import { bundleService } from "./bundle-service.ts";

const modules = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..", "node_modules");

function temporary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "parapet-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The folder of a service with this `main.ts`. */
function service(t: TestContext, main: string): string {
  const dir = temporary(t);
  symlinkSync(modules, join(dir, "node_modules"));
  mkdirSync(join(dir, "cmd", "server"), { recursive: true });
  writeFileSync(join(dir, "package.json"), '{ "type": "module", "version": "1.2.3" }');
  writeFileSync(join(dir, "first.sql"), "select 1;\n");
  writeFileSync(join(dir, "cmd", "server", "main.ts"), main);
  return dir;
}

test("the bundle runs alone in an empty folder, with the SQL inside, a CommonJS driver, and its version", async (t) => {
  const serviceDir = service(
    t,
    `import { AppError } from "parapet/errors";
    import pg from "pg";
    import sql from "../../first.sql";
    const { code } = new AppError("stale", "old");
    console.log(JSON.stringify({ sql, code, driver: typeof pg.Client, version: process.env.SERVICE_VERSION }));`,
  );
  const { file, bytes, durationMs } = await bundleService({ serviceDir });
  assert.equal(file, join(serviceDir, "dist", "server.mjs"));
  assert.ok(existsSync(`${file}.map`) && bytes > 10_000 && durationMs > 0);

  const alone = temporary(t);
  copyFileSync(file, join(alone, "server.mjs"));
  const run = (env: Record<string, string>) => {
    const { stdout, stderr } = spawnSync(process.execPath, ["server.mjs"], { cwd: alone, env, encoding: "utf8" });
    assert.equal(stderr, "");
    return JSON.parse(stdout);
  };
  assert.deepEqual(run({}), { sql: "select 1;\n", code: "stale", driver: "function", version: "1.2.3" });
  assert.equal(run({ SERVICE_VERSION: "9.9.9" }).version, "9.9.9");
});

test("the source map leads from the bundle back to the line of the source", async (t) => {
  const serviceDir = service(t, 'const fail = (): never => {\n  throw new Error("here");\n};\nfail();\n');
  const { file } = await bundleService({ serviceDir });
  const { stderr } = spawnSync(process.execPath, ["--enable-source-maps", file], { encoding: "utf8" });
  assert.match(stderr, /at fail .*main\.ts:2:9/);
});

test("sources that don't build are invalid, with the place", async (t) => {
  await assert.rejects(
    async () => bundleService({ serviceDir: service(t, "export const = 1;\n") }),
    (thrown) => hasCode(thrown, "invalid") && /main\.ts:1:13/.test(thrown.message),
  );
});
