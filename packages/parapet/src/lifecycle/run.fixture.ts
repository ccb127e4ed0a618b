/**
 * A process for `run.test.ts`: two components, `first` and `second`, that log what they are asked to do, in one of the
 * scenarios below. Its parent makes it fail by messages.
 */
import { defineConfig, integer, loadConfig, url } from "../config/index.ts";
import { type Context, sleep } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import { createLogger } from "../log/index.ts";
import type { Aborted, Component } from "./component.ts";
import { run } from "./run.ts";

type Steps = Partial<Pick<Component, "start" | "drain" | "stop" | "commands" | "failed">>;

const config = loadConfig(
  defineConfig({
    limit: integer("LIMIT", { default: 7, description: "A number." }),
    url: url("DATABASE_URL", { protocols: ["postgres:"], secret: true, description: "A URL." }),
  }),
  { DATABASE_URL: "postgres://user:a-secret-password@db/users" },
);
const log = createLogger({ service: "fixture", level: process.env.LEVEL === "warn" ? "warn" : "info" });

/** Holds the process as an open connection would. */
const holdProcess = () => void setInterval(() => {}, 1000);
const forever = () => new Promise<never>(() => {});
const untilDone = (ctx: Context) => new Promise<void>((resolve) => ctx.onDone(() => resolve()));
const whenToldTo = new Promise<Error>((resolve) => {
  process.on("message", (what) => {
    if (what === "fail") resolve(new AppError("unavailable", "the broker is gone"));
    if (what === "throw") throw new Error("poison");
    if (what === "reject") void Promise.reject(new Error("poison"));
  });
});

const scenarios: Record<string, { first?: Steps; second?: Steps }> = {
  plain: {},
  startsSlowly: { second: { start: (ctx) => sleep(ctx, 60_000) } },
  neverStarts: { second: { start: forever } },
  failsToStart: {
    second: {
      start: async () => {
        throw new AppError("unavailable", "the port is in use", { fields: { port: 8080 } });
      },
    },
  },
  drainsSlowly: {
    second: {
      drain: async (ctx) => {
        await untilDone(ctx);
        return { http: 1 };
      },
    },
  },
  drainsInTime: {
    second: {
      drain: async (ctx) => {
        await sleep(ctx, 300);
        return { http: 0 };
      },
    },
  },
  aborts: { first: { stop: async () => ({ tx: 1, http: 0 }) }, second: { drain: async () => ({ http: 2, tx: 1 }) } },
  neverDrains: { second: { drain: forever } },
  failsToDrain: {
    second: {
      drain: async () => {
        throw new Error("a bug in a drain");
      },
    },
  },
  neverStops: { second: { stop: forever } },
  isStuck: { first: { stop: forever }, second: { drain: forever, stop: forever } },
  saysItFails: { second: { failed: whenToldTo } },
  commands: {
    first: {
      commands: {
        migrate: async () => log.info("migrated"),
        chatter: async () => {
          for (let n = 1; n <= 5000; n++) log.info("chatter", { n });
        },
        health: async (ctx) => log.info("checked", { limit_ms: ctx.remainingMs() }),
        fail: async () => {
          throw new AppError("unavailable", "the server is away");
        },
        wait: async (ctx) => {
          log.info("waiting");
          await sleep(ctx, 60_000);
        },
        finish: async (ctx) => {
          holdProcess();
          log.info("waiting");
          await untilDone(ctx);
        },
        hang: async () => {
          holdProcess();
          log.info("waiting");
          await forever();
        },
      },
    },
  },
  clashes: { first: { commands: { migrate: forever } }, second: { commands: { migrate: forever } } },
};

/** Logs each step, and then does what the scenario says. */
function component(name: string, steps: Steps = {}): Component {
  const step = <T>(what: string, work: ((ctx: Context) => Promise<T>) | undefined) => {
    return async (ctx: Context): Promise<T | undefined> => {
      log.warn(what, { component: name, limit_ms: Math.round(ctx.remainingMs()) });
      return work?.(ctx);
    };
  };
  return {
    name,
    ...(steps.failed === undefined ? {} : { failed: steps.failed }),
    ...(steps.commands === undefined ? {} : { commands: steps.commands }),
    start: async (ctx) => void (await step("start", steps.start)(ctx)),
    drain: step<Aborted | undefined>("drain", steps.drain),
    stop: step<Aborted | undefined>("stop", steps.stop),
  };
}

const { first, second } = scenarios[process.env.SCENARIO ?? "plain"] ?? {};
// Told by messages, but not held alive by the channel they come through.
process.channel?.unref();
const graceMs = process.env.GRACE_MS;
await run([component("first", first), component("second", second)], {
  log,
  config,
  ...(graceMs === undefined ? {} : { shutdownGraceMs: Number(graceMs) }),
});
