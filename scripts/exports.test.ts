import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after, before } from "node:test";
import { promisify } from "node:util";
import { ROOT } from "./test-files.ts";

interface Manifest {
  readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

const run = promisify(execFile);
const PACKAGE = join(ROOT, "packages/parapet");
const TIMEOUT_MS = 60_000;

const manifest: Manifest = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8"));
const entries = Object.keys(manifest.exports).map((entry) => entry.replace(/^\./, "parapet"));

/** A project that has the packed package and its declared dependencies installed, and nothing else. */
let project = "";
const installed = () => join(project, "node_modules/parapet");

before(async () => {
  project = mkdtempSync(join(tmpdir(), "parapet-exports-"));
  const build = ["--conditions=parapet-source", "--import", "tsx", "scripts/build.ts", "--packages"];
  await run(process.execPath, build, { cwd: ROOT, timeout: TIMEOUT_MS });
  await run("npm", ["pack", "--silent", "--pack-destination", project], { cwd: PACKAGE, timeout: TIMEOUT_MS });
  const tarball = readdirSync(project).find((file) => file.endsWith(".tgz"));
  assert.ok(tarball);
  await run("tar", ["-xzf", tarball], { cwd: project });
  mkdirSync(join(project, "node_modules"));
  renameSync(join(project, "package"), installed());
  for (const name of [...Object.keys(manifest.dependencies), "@types/node", "undici-types"]) link(name);
});

after(() => rmSync(project, { recursive: true, force: true }));

function link(name: string): void {
  const path = join(project, "node_modules", name);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(join(ROOT, "node_modules", name), path);
}

test("every entry of the packed chassis can be imported", async () => {
  const script = entries.map((entry) => `await import(${JSON.stringify(entry)});`).join("\n");
  writeFileSync(join(project, "imports.mjs"), script);
  await run(process.execPath, ["imports.mjs"], { cwd: project, timeout: TIMEOUT_MS });
});

test("every entry of the packed chassis has types that stand without its drivers' types", async () => {
  const source = entries.map((entry, index) => `import type * as room${index} from "${entry}";`);
  const names = entries.map((_, index) => `typeof room${index}`);
  writeFileSync(join(project, "types.mts"), [...source, `export type All = [${names.join(", ")}];`].join("\n"));
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const flags = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2023", "--types", "node", "types.mts"];
  const { stdout } = await run(process.execPath, [tsc, ...flags], { cwd: project, timeout: TIMEOUT_MS }).catch(
    (failure: { stdout: string }) => failure,
  );
  assert.equal(stdout, "");
});

test("no published declaration mentions a driver", () => {
  const drivers = ["pg", "@redis/client", "amqplib", "find-my-way", "pino", "prom-client"].join("|");
  const mention = new RegExp(`(?:from\\s+|import\\(|import\\s+|require\\()["'](?:${drivers})(?:/[^"']*)?["']`);
  const declarations = readdirSync(join(installed(), "dist"), { recursive: true, encoding: "utf8" }).filter((file) =>
    /\.d\.[cm]?ts$/.test(file),
  );
  assert.ok(declarations.length >= entries.length);
  assert.deepEqual(
    declarations.filter((file) => mention.test(readFileSync(join(installed(), "dist", file), "utf8"))),
    [],
  );
});

test("the packed chassis has no test and nothing that only tests need in it", () => {
  const files = readdirSync(installed(), { recursive: true, encoding: "utf8" });
  assert.deepEqual(
    files.filter((file) => /\.(test|fixture|harness)\./.test(file)),
    [],
  );
});
