import { parseArgs } from "node:util";
import { reported } from "@parapet/dev";
import { AppError } from "parapet/errors";
import { data } from "./data.ts";

const USAGE = "usage: npm run bench -- data [--quick]";

process.exitCode = await reported(async () => {
  const { quick } = parseArguments();
  await data({ quick, signal: untilInterrupted() });
});

function parseArguments(): { quick: boolean } {
  try {
    const { values, positionals } = parseArgs({ allowPositionals: true, options: { quick: { type: "boolean" } } });
    if (positionals.join(" ") === "data") return { quick: values.quick ?? false };
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
