import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FROM_SOURCE } from "./run-node.ts";
import { ROOT, TEST_CONCURRENCY, testFiles } from "./test-files.ts";

interface Check {
  readonly name: string;
  /** What `node` runs. */
  readonly args: readonly string[];
}

interface Outcome extends Check {
  readonly passed: boolean;
  readonly output: string;
}

const TIMEOUT_MS = 120_000;
const TEST_OPTIONS = ["--test-timeout=45000", "--test-reporter=spec"];

/** Where tests need more than their own process: a server, a bundle, another process. */
const PLACES_WITH_MORE = /^services\/[^/]+\/test\/|^packages\/(dev|cli)\//;
/** What a test elsewhere says when it does. */
const WORDS_FOR_MORE =
  /node:child_process|\.(fixture|harness)\.ts"|process\.env|\b(postgresSandbox|redisSandbox|ownRedis|rabbitSandbox|ownRabbit|startService|startEmbeddedPostgres|createPostgresProxy|createRedisProxy|createAmqpProxy)\b/;
const LAW = /law\.test\.ts$|lockfile\.test\.ts$/;
const EXPORTS = "scripts/exports.test.ts";

const tests = testFiles();
const laws = tests.filter((file) => LAW.test(file));
const units = tests.filter((file) => !LAW.test(file) && isUnit(file));
const leftOut = tests.filter((file) => !units.includes(file) && !laws.includes(file) && file !== EXPORTS);

const sideBySide: readonly Check[] = [
  { name: "types", args: ["node_modules/typescript/bin/tsc", "-p", "."] },
  { name: "lint and format", args: ["node_modules/@biomejs/biome/bin/biome", "ci", "--colors=off", "."] },
  { name: "laws", args: testArgs(laws) },
  { name: "exports", args: testArgs([EXPORTS]) },
];

// Some of them hold the event loop to a time, so that they get the machine for themselves. Most of a process is its start, and
// unit tests need none of their own: they share processes, of which more run at once than there are processors, since all of
// them wait, and more are made than run at once, since some wait for long.
const PARTS_AT_ONCE = TEST_CONCURRENCY + 2;
const PARTS = 2 * PARTS_AT_ONCE;
const alone: readonly Check[] = Array.from({ length: PARTS }, (_, part) => {
  const files = units.filter((_, index) => index % PARTS === part);
  const args = [...FROM_SOURCE, ...TEST_OPTIONS, "scripts/one-process.ts", ...files];
  return { name: `unit tests, part ${part + 1} (${files.length} files)`, args };
});

function isUnit(file: string): boolean {
  return !PLACES_WITH_MORE.test(file) && !WORDS_FOR_MORE.test(readFileSync(join(ROOT, file), "utf8"));
}

function testArgs(files: readonly string[]): string[] {
  return [...FROM_SOURCE, "--test", ...TEST_OPTIONS, ...files];
}

async function run(check: Check): Promise<Outcome> {
  const startedAt = performance.now();
  const outcome = await new Promise<Outcome>((resolve) => {
    execFile(
      process.execPath,
      check.args,
      { cwd: ROOT, timeout: TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => resolve({ ...check, passed: error === null, output: `${stdout}${stderr}` }),
    );
  });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${outcome.passed ? "ok    " : "FAILED"} ${check.name}, ${seconds} s`);
  return outcome;
}

async function runInTurn(checks: readonly Check[], atOnce: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const waiting = [...checks];
  const worker = async () => {
    for (let check = waiting.shift(); check; check = waiting.shift()) outcomes.push(await run(check));
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return outcomes;
}

/** What is worth reading of a failure: of the test runner's output, its last part. */
function essence(output: string): string {
  return output.slice(Math.max(0, output.lastIndexOf("failing tests:"))).trimEnd();
}

const outcomes = [...(await Promise.all(sideBySide.map(run))), ...(await runInTurn(alone, PARTS_AT_ONCE))];
const failures = outcomes.filter(({ passed }) => !passed);
for (const { name, output } of failures) console.log(`\n${name}: ${essence(output)}`);
if (leftOut.length > 0) {
  console.log(`\nleft to \`npm test\`, since they need a server or other processes:\n  ${leftOut.join("\n  ")}`);
}
console.log(failures.length === 0 ? "\nall checks passed" : `\n${failures.length} of ${outcomes.length} checks failed`);
process.exitCode = failures.length === 0 ? 0 : 1;
