import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildServices, reported, untilInterrupted } from "@parapet/dev";
import { AppError } from "parapet/errors";
import { faultLedger, type TestResult, unknownFaults } from "./fault-ledger.ts";
import { openTestBroker } from "./test-broker.ts";
import { openTestDatabase } from "./test-database.ts";
import { ROOT, TEST_CONCURRENCY, testFiles } from "./test-files.ts";
import { findTestRedis } from "./test-redis.ts";
import { runTests, type TestRun, totals } from "./test-run.ts";

const USAGE = "usage: npm test -- [part of a path …] [--test-name-pattern <regular expression>]";
const LEDGER = join(ROOT, "docs/faults.md");

/** `npm test`: every test, on a real PostgreSQL when there is one, else on an embedded one. */
async function main(): Promise<number> {
  const { filters, patterns } = parseArguments();
  const files = testFiles(filters);
  if (files.length === 0) throw new AppError("invalid", `no test file matches\n${USAGE}`);

  const signal = untilInterrupted();
  // The process tests run the bundles.
  await buildServices(ROOT);
  const redisUrl = await findTestRedis(process.env);
  const broker = await openTestBroker(process.env);
  const database = await openTestDatabase(process.env, signal);
  const run = await runTests(files, {
    patterns,
    databaseUrl: database.url,
    // An embedded server is a process more, and one that the tests wait for with the deadlines of a service.
    concurrency: database.isEmbedded ? TEST_CONCURRENCY - 1 : TEST_CONCURRENCY,
    redisUrl,
    amqpUrl: broker.url,
    signal,
  }).finally(() => Promise.all([database.stop(), broker.stop()]));
  if (signal.aborted) throw new AppError("canceled", "interrupted");
  if (filters.length === 0 && patterns.length === 0) writeLedger(run.results);
  return report(run);
}

function parseArguments(): { filters: readonly string[]; patterns: readonly string[] } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { "test-name-pattern": { type: "string", multiple: true } },
    });
    return { filters: positionals, patterns: values["test-name-pattern"] ?? [] };
  } catch (cause) {
    throw new AppError("invalid", USAGE, { cause });
  }
}

function report({ code, results, emptyFiles }: TestRun): number {
  const { passed, failed, skipped } = totals(results);
  const complaints = [
    ...unknownFaults(results).map((id) => `no row of the fault matrix has the id ${id}`),
    ...emptyFiles.map((file) => `${file} has no test`),
    ...(passed + failed === 0 ? ["no test ran"] : []),
  ];
  for (const complaint of complaints) console.log(complaint);
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  return complaints.length > 0 ? 1 : code;
}

function writeLedger(results: readonly TestResult[]): void {
  const ledger = faultLedger(results);
  if (readFileSync(LEDGER, { encoding: "utf8", flag: "a+" }) === ledger) return;
  writeFileSync(LEDGER, ledger);
  console.log("docs/faults.md changed");
}

let code = 1;
const told = await reported(async () => {
  code = await main();
});
process.exitCode = Math.max(code, told);
