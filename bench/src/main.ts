import { parseArgs } from "node:util";
import { reported, untilInterrupted } from "@parapet/dev";
import { AppError } from "parapet/errors";
import { data } from "./data.ts";
import { messaging } from "./messaging/messaging.ts";
import { types } from "./types/types.ts";

const BENCHES = { data, messaging, types };
const USAGE = `usage: npm run bench -- ${Object.keys(BENCHES).join(" | ")} [--quick]`;

process.exitCode = await reported(async () => {
  const { bench, quick } = parseArguments();
  await bench({ quick, signal: untilInterrupted() });
});

function parseArguments() {
  try {
    const { values, positionals } = parseArgs({ allowPositionals: true, options: { quick: { type: "boolean" } } });
    const bench = Object.entries(BENCHES).find(([name]) => name === positionals.join(" "))?.[1];
    if (bench !== undefined) return { bench, quick: values.quick ?? false };
  } catch (cause) {
    throw new AppError("invalid", USAGE, { cause });
  }
  throw new AppError("invalid", USAGE);
}
