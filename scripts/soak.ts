import { buildServices, reported, untilInterrupted } from "@parapet/dev";
import { AppError } from "parapet/errors";
import { openTestBroker } from "./test-broker.ts";
import { openTestDatabase } from "./test-database.ts";
import { ROOT, testFiles } from "./test-files.ts";
import { findTestRedis } from "./test-redis.ts";
import { runTests, totals } from "./test-run.ts";

/** The tests that draw from seeds, by the word that asks for them. */
const SOAKS: Readonly<Record<string, string>> = {
  "kill-points": "services/users/test/kill-points.test.ts",
  cache: "services/users/test/cache-staleness.test.ts",
  relay: "services/users/test/events.test.ts",
  inbox: "examples/user-counter.test.ts",
  ladder: "packages/parapet/src/messaging/rabbitmq/retry-ladder.test.ts",
  fire: "services/users/test/under-fire.test.ts",
  chain: "services/orders/test/chain-under-fire.test.ts",
  rolling: "services/orders/test/rolling-restart.test.ts",
};
const DEFAULT_SEEDS = 100;
const USAGE = `usage: npm run soak -- [${Object.keys(SOAKS).join(" | ")}] [number of seeds, ${DEFAULT_SEEDS} unless said]`;

/** `npm run soak`: the tests that draw from seeds, with many of them. */
async function main(): Promise<number> {
  const { files, seeds } = parseArguments(process.argv.slice(2));
  const signal = untilInterrupted();
  await buildServices(ROOT);
  const redisUrl = await findTestRedis(process.env);
  const broker = await openTestBroker(process.env);
  const database = await openTestDatabase(process.env, signal);
  const run = await runTests(files, {
    databaseUrl: database.url,
    redisUrl,
    amqpUrl: broker.url,
    seeds,
    signal,
  }).finally(() => Promise.all([database.stop(), broker.stop()]));
  if (signal.aborted) throw new AppError("canceled", "interrupted");
  const { passed, failed, skipped } = totals(run.results);
  console.log(`${seeds} seeds each\n${passed} passed, ${failed} failed, ${skipped} skipped`);
  return run.code;
}

function parseArguments(args: readonly string[]): { files: readonly string[]; seeds: number } {
  const [what, many = what] = args;
  const isNumber = (text: string | undefined) => text !== undefined && /^[1-9]\d*$/.test(text);
  const wanted = what === undefined || isNumber(what) ? Object.keys(SOAKS) : [what];
  const files = wanted.flatMap((word) => testFiles([SOAKS[word] ?? "no such soak"]));
  if (files.length < wanted.length || args.length > 2) throw new AppError("invalid", USAGE);
  return { files, seeds: isNumber(many) ? Number(many) : DEFAULT_SEEDS };
}

let code = 1;
const told = await reported(async () => {
  code = await main();
});
process.exitCode = Math.max(code, told);
