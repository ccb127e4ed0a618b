import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { AppError } from "parapet/errors";
import type { BenchDatabase } from "./bench-database.ts";
import { toContenders } from "./contenders.ts";
import type { RunOptions } from "./rounds.ts";
import { startServer } from "./server-process.ts";

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const TIMEOUT_MS = 5_000;

/**
 * Asks every system the same, and gives remarks on what one of them does not do yet. An assertion fails when they don't
 * answer alike: then there is nothing to compare.
 */
export async function compareAnswers(options: Omit<RunOptions, "plan">): Promise<string[]> {
  const { systems, backing } = options;
  const remarks: string[] = [];
  let expected: unknown;
  for (const contender of toContenders({ cacheModes: ["default"] }, systems, backing.addresses)) {
    const server = await startServer(contender, options);
    try {
      const { announced, ...answers } = await answersOf(server.url, backing);
      expected ??= answers;
      assert.deepEqual({ [contender.title]: answers }, { [contender.title]: expected });
      if (announced === 0) remarks.push(`${contender.title} saves no outbox row yet: its create does less`);
    } finally {
      await server.stop();
    }
  }
  return remarks;
}

async function answersOf(url: string, { ids: [id], database }: { ids: readonly string[]; database: BenchDatabase }) {
  const users = `${url}/api/v1/users`;
  const fromDatabase = await ask(`${users}/${id}`);
  const perhapsFromCache = await ask(`${users}/${id}`);
  const page = toPage(await ask(`${users}?limit=20`));
  const newUser = { name: "Ada Lovelace", email: `${randomUUID()}@example.com` };
  const { announced, created } = await create(users, newUser, database);
  return {
    announced,
    fromDatabase,
    perhapsFromCache,
    page,
    created: { status: created.status, body: toShape(created.body) },
    taken: (await post(users, newUser)).status,
    refused: (await post(users, { ...newUser, email: "no address" })).status,
    nameless: (await post(users, { email: newUser.email })).status,
    isCounted: await isCounted(url),
    ...(await remove(`${users}/${idOf(created.body)}`, newUser)),
  };
}

async function create(users: string, newUser: object, { countMessages }: BenchDatabase) {
  const before = await countMessages();
  const created = await post(users, newUser);
  return { created, announced: (await countMessages()) - before };
}

/** Reads it into the cache first, so that a stale copy would be seen. */
async function remove(user: string, newUser: object) {
  const { status, body } = await ask(user);
  return {
    read: { status, isWhatWasSent: isSuperset(body, newUser) },
    removed: (await ask(user, { method: "DELETE" })).status,
    gone: (await ask(user)).status,
  };
}

async function isCounted(url: string): Promise<boolean> {
  const { body } = await ask(`${url}/metrics`);
  const series = [/^http_requests_total\{.*\} \d+$/m, /^http_request_duration_seconds_bucket\{.*\} \d+$/m];
  return series.every((pattern) => pattern.test(String(body)));
}

async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const reply = await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
  const text = await reply.text();
  const isJson = reply.headers.get("content-type")?.includes("json") ?? false;
  return { status: reply.status, body: isJson ? JSON.parse(text, withIsoTime) : text };
}

async function post(url: string, body: object): Promise<Answer> {
  return ask(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

/** Go leaves the zeros at the end of a second's fraction away; the time is the same. */
function withIsoTime(key: string, value: unknown): unknown {
  return key.endsWith("At") && typeof value === "string" ? new Date(value).toISOString() : value;
}

/** Cursors are opaque: that there is one is what counts. */
function toPage({ status, body }: Answer): Answer {
  return { status, body: isRecord(body) ? { ...body, nextCursor: typeof body.nextCursor } : body };
}

/** The names of the fields with their types. */
function toShape(body: unknown): unknown {
  if (!isRecord(body)) return typeof body;
  return Object.fromEntries(Object.entries(body).map(([name, value]) => [name, typeof value]));
}

function isSuperset(body: unknown, part: object): boolean {
  return isRecord(body) && Object.entries(part).every(([name, value]) => body[name] === value);
}

function idOf(body: unknown): string {
  if (!isRecord(body)) throw new AppError("internal", "a created user has an id");
  return String(body.id);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
