import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { AppError } from "parapet/errors";
import { describeMachine } from "../conditions.ts";
import { markdownTable } from "../markdown-table.ts";
import { writeReport } from "../write-report.ts";
import { manyRoutes } from "./many-routes.ts";

export interface TypesOptions {
  /** One round, printed and not written down. */
  readonly quick: boolean;
  readonly signal: AbortSignal;
}

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const COMPILER = join(ROOT, "node_modules/typescript/bin/tsc");
const COUNTS = [5, 200, 400];
const ROUNDS = 5;
const TIMEOUT_MS = 60_000;

/**
 * How long the compiler takes for a service with so many operations, by its own account. The service uses the packages as they are published, so build
 * them first. Throws `internal` when the sources do not check.
 */
export async function types({ quick, signal }: TypesOptions): Promise<void> {
  // Below the root, or the packages are not found from there.
  const cache = join(ROOT, "node_modules/.cache");
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, "types-"));
  try {
    const rows: string[][] = [];
    for (const count of COUNTS) {
      const dir = await project(folder, count);
      const seconds: number[] = [];
      for (let round = 0; round < (quick ? 1 : ROUNDS); round++) seconds.push(await check(dir, signal));
      rows.push([
        String(count),
        median(seconds).toFixed(2),
        `${Math.min(...seconds).toFixed(2)}–${Math.max(...seconds).toFixed(2)}`,
      ]);
    }
    const table = markdownTable(["operations", "seconds", "lowest–highest"], rows).join("\n");
    const report = `# Types\n\n${describeMachine()}. \`npm run bench -- types\`, ${new Date().toISOString().slice(0, 10)}; the median of ${ROUNDS}.\n
The compiler's own "Total time" for a service's contract, its handlers and a caller of each operation. The target: 200 in under two seconds.\n\n${table}\n`;
    console.log(`\n${report}`);
    if (!quick) await writeReport("types", report);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function project(folder: string, count: number): Promise<string> {
  const dir = join(folder, String(count));
  await mkdir(dir);
  for (const [name, source] of Object.entries(manyRoutes(count))) await writeFile(join(dir, name), source);
  const compilerOptions = {
    target: "es2023",
    lib: ["es2023"],
    module: "nodenext",
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    noEmit: true,
  };
  await writeFile(join(dir, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  await writeFile(join(dir, "package.json"), JSON.stringify({ type: "module" }));
  return dir;
}

async function check(dir: string, signal: AbortSignal): Promise<number> {
  const args = [COMPILER, "-p", dir, "--extendedDiagnostics"];
  const run = promisify(execFile)(process.execPath, args, { signal, timeout: TIMEOUT_MS });
  const { stdout } = await run.catch((cause) => {
    throw new AppError("internal", `the sources do not check\n${cause.stdout ?? cause}`, { cause });
  });
  const [, seconds] = /^Total time:\s+([\d.]+)s$/m.exec(stdout) ?? [];
  if (seconds === undefined) throw new AppError("internal", `the compiler does not say how long it took\n${stdout}`);
  return Number(seconds);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? 0;
}
