import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { type ImportLaw, importBreaches, type RoomLaw } from "parapet/testing";

/** The floors of the chassis, lowest first: a room imports rooms of lower floors alone. */
const FLOORS = [
  ["errors", "log"],
  ["context", "config"],
  ["metrics", "lifecycle", "contract", "resilience"],
  ["http", "client", "postgres", "cache", "messaging"],
  ["outbox", "idempotency"],
  ["testing"],
] as const;

/** Each driver has one room, so that none of its objects crosses a border; schemas are the language of contract and http. */
const LIBRARIES: Readonly<Record<string, readonly string[]>> = {
  log: ["pino"],
  metrics: ["prom-client"],
  contract: ["typebox", "typebox/*"],
  http: ["find-my-way", "typebox", "typebox/*"],
  client: ["undici", "typebox"],
  postgres: ["pg", "pg/*"],
  cache: ["@redis/client", "lru-cache"],
  messaging: ["amqplib"],
  outbox: ["uuid"],
  testing: ["pg", "@redis/client", "amqplib"],
};

const chassisLaw: ImportLaw = { rooms: Object.fromEntries(FLOORS.flatMap(floorLaws)), door: "index.ts" };

function floorLaws(rooms: readonly string[], floor: number): [string, RoomLaw][] {
  const lower = FLOORS.slice(0, floor).flat();
  // The log shows errors, and errors log nothing: the one pair that shares a floor.
  return rooms.map((room) => [
    room,
    { rooms: room === "log" ? ["errors"] : lower, modules: ["node:*", ...(LIBRARIES[room] ?? [])] },
  ]);
}

test("a room of the chassis imports only rooms of lower floors, through their doors", () => {
  assert.deepEqual(importBreaches(new URL("../packages/parapet/src/", import.meta.url), chassisLaw), []);
});

test("a room that imports its own floor, a higher one, a foreign driver or past a door is found", (t) => {
  const root = mkdtempSync(join(tmpdir(), "chassis-law-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const files = {
    "context/context.ts": `import type { Server } from "../http/index.ts";\n`,
    "http/server.ts": `import { sql } from "../postgres/index.ts";\nimport { AppError } from "../errors/app-error.ts";\n`,
    "lifecycle/run.ts": `import pg from "pg";\nimport { createLogger } from "../log/index.ts";\n`,
  };
  for (const [path, source] of Object.entries(files)) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), source);
  }
  assert.deepEqual(importBreaches(pathToFileURL(root), chassisLaw), [
    "context/context.ts:1 imports types of ../http/index.ts",
    "http/server.ts:1 imports ../postgres/index.ts",
    "http/server.ts:2 imports ../errors/app-error.ts",
    "lifecycle/run.ts:1 imports pg",
  ]);
});
