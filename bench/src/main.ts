import { parseArgs } from "node:util";
import { reported } from "@parapet/dev";
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

/** Aborts on a signal, so that all that was started is stopped. One Ctrl-C may arrive twice: npm passes it on. */
function untilInterrupted(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => controller.abort(new AppError("canceled", "interrupted")));
  }
  return controller.signal;
}
