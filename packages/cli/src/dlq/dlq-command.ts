import { reported } from "@parapet/dev";
import { Command, InvalidArgumentError } from "commander";
import { type Context, rootContext } from "parapet/context";
import { AppError } from "parapet/errors";
import { createLogger } from "parapet/log";
import { drop, list, type Parking, replay, type Selection, show } from "./verbs.ts";

const DEFAULT_LIMIT = 100;

const GROUP = "whose messages: the name of a consumer, as `user_counter`";
const IDS = "of messages, as `ls` shows them";
const HELP = `
Messages that no repetition mends are parked by their consumer, in RabbitMQ's queue q.<group>.parking, until somebody
decides. The RabbitMQ is the one at AMQP_URL. Who looks at messages holds them: two people at once see different ones.`;

/** `parapet dlq`: what to do about messages that were parked. */
export function dlqCommand(): Command {
  const dlq = new Command("dlq")
    .description("look at parked messages, and replay or drop them")
    .addHelpText("after", HELP);
  dlq
    .command("ls")
    .description("list what is parked, oldest first")
    .argument("<group>", GROUP)
    .option("--limit <n>", "how many at most", positive, DEFAULT_LIMIT)
    .option("--json", "one JSON object a line", false)
    .action((group, options) => run(group, (ctx, parking) => list(ctx, parking, options)));
  dlq
    .command("show")
    .description("print messages with what they say, as JSON")
    .argument("<group>", GROUP)
    .argument("<id...>", IDS)
    .action((group, ids) => run(group, (ctx, parking) => show(ctx, parking, ids)));
  dlq
    .command("replay")
    .description("put messages back into their group's queue, as if they had never failed")
    .argument("<group>", GROUP)
    .argument("[id...]", IDS)
    .option("--all", "all that are parked now", false)
    .option("--new-id", "as other messages: also what took effect already does so again", false)
    .action((group, ids, { all, newId }) =>
      run(group, (ctx, parking) => replay(ctx, parking, selectionOf(ids, all), { newId })),
    );
  dlq
    .command("drop")
    .description("delete messages")
    .argument("<group>", GROUP)
    .argument("[id...]", IDS)
    .option("--all", "all that are parked now", false)
    .action((group, ids, { all }) => run(group, (ctx, parking) => drop(ctx, parking, selectionOf(ids, all))));
  return dlq;
}

async function run(group: string, verb: (ctx: Context, parking: Parking) => Promise<void>): Promise<void> {
  process.exitCode = await reported(async () => {
    const url = process.env.AMQP_URL;
    if (!url) {
      const example = "AMQP_URL=amqp://guest:guest@127.0.0.1:5672";
      throw new AppError("invalid", `AMQP_URL is not set, and says where the RabbitMQ is: ${example} parapet dlq …`);
    }
    await verb(untilInterrupted(), { url, group, out: process.stdout });
  });
}

/** A context that ends with a signal, or when nobody reads any more what is printed. */
function untilInterrupted(): Context {
  const log = createLogger({
    service: "parapet",
    level: "error",
    sink: { write: (_level, line) => process.stderr.write(line) },
  });
  const ctx = rootContext(log);
  const interrupt = () =>
    ctx.cancel(new AppError("canceled", "interrupted: what is not yet said to be done stays parked"));
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, interrupt);
  process.stdout.once("error", interrupt);
  return ctx;
}

function selectionOf(ids: readonly string[], all: boolean): Selection {
  if (all === ids.length > 0) throw new AppError("invalid", "say which messages: their ids, or --all");
  return all ? "all" : ids;
}

function positive(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError("It is a positive number.");
  return Number(text);
}
