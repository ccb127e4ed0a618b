/**
 * `npm run build`: JavaScript and types of the packages into their `dist`, and each service's bundle; with `--packages`
 * the packages alone. Prints what was built; ends with 1 when anything failed or a bundle is too large.
 */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { chmod, readdir, rm, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Bundle, buildServices, formatBundles, reported } from "@parapet/dev";
import { AppError } from "parapet/errors";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
const TSC_TIMEOUT_MS = 120_000;

// In the order of their dependencies: each takes its types from the `dist` of the ones before.
const PACKAGES = ["parapet", "wire", "dev", "cli"];

const startedAt = performance.now();
const built: Bundle[] = [];
const builds = process.argv.includes("--packages") ? [compilePackages] : [compilePackages, () => buildServices(root)];
const exitCodes = await Promise.all(builds.map((build) => reported(async () => void built.push(...(await build())))));
console.log(formatBundles(built, root));
console.log(`  built in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
process.exitCode = Math.max(...exitCodes);

async function compilePackages(): Promise<Bundle[]> {
  const compiled: Bundle[] = [];
  for (const name of PACKAGES) compiled.push(await compilePackage(join(root, "packages", name)));
  return compiled;
}

async function compilePackage(dir: string): Promise<Bundle> {
  const startedAt = performance.now();
  const dist = join(dir, "dist");
  await rm(dist, { recursive: true, force: true });
  await compile(join(dir, "tsconfig.build.json"));
  // npm makes commands executable when it links them, and links those of the workspace before they are built.
  for (const command of commandsOf(dir)) await chmod(command, 0o755);
  return { file: dist, bytes: await sizeOf(dist), durationMs: performance.now() - startedAt };
}

function commandsOf(dir: string): string[] {
  const { bin = {} }: { bin?: Readonly<Record<string, string>> } = JSON.parse(
    readFileSync(join(dir, "package.json"), "utf8"),
  );
  return Object.values(bin).map((file) => join(dir, file));
}

async function compile(project: string): Promise<void> {
  try {
    await promisify(execFile)(process.execPath, [tsc, "-p", project, "--pretty", "false"], { timeout: TSC_TIMEOUT_MS });
  } catch (cause) {
    const output = cause instanceof Error && "stdout" in cause ? String(cause.stdout).trimEnd() : "";
    throw new AppError("invalid", `${project} does not compile\n${output}`, { cause });
  }
}

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(file.parentPath, file.name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
