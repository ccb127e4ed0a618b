import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import type { TestResult } from "./fault-ledger.ts";
import { FROM_SOURCE, runNode } from "./run-node.ts";
import { ROOT, TEST_CONCURRENCY } from "./test-files.ts";

/** What a run came to. */
export interface TestRun {
  /** The runner's exit code. */
  readonly code: number;
  readonly results: readonly TestResult[];
  /** Files in which no test ran, though no pattern left any out. */
  readonly emptyFiles: readonly string[];
}

export interface TestRunOptions {
  /** Titles to run, as regular expressions; all when empty. */
  readonly patterns?: readonly string[];
  readonly databaseUrl?: string;
  /** How many files run at once; `TEST_CONCURRENCY` unless told. */
  readonly concurrency?: number;
  /** Empty when there is none. */
  readonly redisUrl?: string;
  readonly amqpUrl?: string;
  /** How many seeds the tests that draw from one take, instead of the few of a usual run; each has the time of one. */
  readonly seeds?: number;
  readonly signal: AbortSignal;
}

// Node applies its test timeout to a whole file; the longest walk through shutdowns at their defaults of several seconds.
const FILE_TIMEOUT_MS = 300_000;
const RUN_TIMEOUT_MS = 900_000;
const SEED_TIMEOUT_MS = 60_000;

/** Runs test files, each in a process of its own, and prints what happens as it happens. */
export async function runTests(files: readonly string[], options: TestRunOptions): Promise<TestRun> {
  const folder = mkdtempSync(join(tmpdir(), "parapet-test-"));
  const resultFile = join(folder, "results.jsonl");
  try {
    const { patterns = [], databaseUrl, redisUrl, amqpUrl, seeds, signal, concurrency = TEST_CONCURRENCY } = options;
    const soakMs = (seeds ?? 0) * SEED_TIMEOUT_MS;
    const limits = { concurrency, fileTimeoutMs: FILE_TIMEOUT_MS + soakMs };
    const args = [...runnerArgs(resultFile, patterns, limits), ...files];
    const code = await runNode([...FROM_SOURCE, ...args], {
      env: {
        ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }),
        ...(redisUrl !== undefined && { REDIS_URL: redisUrl }),
        ...(amqpUrl !== undefined && { AMQP_URL: amqpUrl }),
        ...(seeds !== undefined && { SEEDS: String(seeds) }),
      },
      signal,
      timeoutMs: RUN_TIMEOUT_MS + soakMs,
    });
    return { code, ...sorted(readResults(resultFile), files, patterns) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** How many tests passed, failed and were skipped. */
export function totals(results: readonly TestResult[]): { passed: number; failed: number; skipped: number } {
  const failed = results.filter(({ passed }) => !passed).length;
  const skipped = results.filter(({ passed, skip }) => passed && skip !== undefined && skip !== false).length;
  return { passed: results.length - failed - skipped, failed, skipped };
}

function runnerArgs(
  resultFile: string,
  patterns: readonly string[],
  { concurrency, fileTimeoutMs }: { readonly concurrency: number; readonly fileTimeoutMs: number },
): string[] {
  return [
    "--test",
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${fileTimeoutMs}`,
    ...patterns.map((pattern) => `--test-name-pattern=${pattern}`),
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    `--test-reporter=${join(ROOT, "scripts/json-reporter.js")}`,
    `--test-reporter-destination=${resultFile}`,
  ];
}

function readResults(resultFile: string): TestResult[] {
  // Opened for appending, since a runner that could not start wrote none.
  return readFileSync(resultFile, { encoding: "utf8", flag: "a+" })
    .split("\n")
    .filter((line) => line !== "")
    .map((line): TestResult => JSON.parse(line));
}

/** Node reports a file in which no test ran as a test that passed, under the file's name. */
function sorted(results: readonly TestResult[], files: readonly string[], patterns: readonly string[]) {
  const paths = new Set(files.map((file) => resolve(ROOT, file)));
  const isFile = ({ name, passed }: TestResult) => passed && paths.has(resolve(ROOT, name));
  return {
    results: results.filter((result) => !isFile(result)),
    emptyFiles:
      patterns.length > 0 ? [] : results.filter(isFile).map(({ name }) => relative(ROOT, resolve(ROOT, name))),
  };
}
