import assert from "node:assert/strict";
import { Problem } from "parapet/contract";
import type { Service } from "parapet/testing";
import { Value } from "typebox/value";

/** What came back for one request, and after how many milliseconds. */
export interface TimedReply {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly json: unknown;
  readonly ms: number;
}

/** So many clients at once, each asking so many times. */
export async function askedBy(
  clients: number,
  times: number,
  ask: (number: number) => Promise<Response>,
): Promise<readonly TimedReply[]> {
  const replies: TimedReply[] = [];
  const client = async (first: number): Promise<void> => {
    for (let n = 0; n < times; n++) replies.push(await timed(ask(first * times + n)));
  };
  await Promise.all(Array.from({ length: clients }, (_, index) => client(index)));
  return replies;
}

export async function timed(asked: Promise<Response>): Promise<TimedReply> {
  const startedAt = performance.now();
  const reply = await asked;
  const ms = performance.now() - startedAt;
  const json: unknown = reply.status === 204 ? undefined : await reply.json();
  return { status: reply.status, retryAfter: reply.headers.get("retry-after"), json, ms };
}

export function percentile(percent: number, replies: readonly TimedReply[]): number {
  const sorted = replies.map(({ ms }) => ms).toSorted((a, b) => a - b);
  return sorted[Math.ceil((percent / 100) * sorted.length) - 1] ?? 0;
}

/** What a problem tells its reader; undefined for what is none. */
export function detailOf(json: unknown): string | undefined {
  return Value.Check(Problem, json) ? json.detail : undefined;
}

/** The type of the problem of which nobody knows whether its change was made. */
export const OUTCOME_UNKNOWN = "urn:parapet:problem:outcome-unknown";

/** A 503 that says when to come back. */
export function assertUnavailable({ status, retryAfter, json }: TimedReply): void {
  assert.equal(status, 503);
  assert.ok(Value.Check(Problem, json), JSON.stringify(json));
  // Who tries that again may do it twice.
  if (json.type === OUTCOME_UNKNOWN) assert.equal(retryAfter, null);
  else assert.match(String(retryAfter), /^[1-9]\d?$/);
  assert.equal(json.code, "unavailable");
}

/** A 503 or 504, and in time. */
export function assertGivenUp(reply: TimedReply, withinMs: number): void {
  const { status, json, ms } = reply;
  assert.ok(Value.Check(Problem, json), JSON.stringify(json));
  if (status === 503) assertUnavailable(reply);
  else assert.deepEqual([status, json.code], [504, "timeout"]);
  assert.ok(ms < withinMs, `${status} after ${ms} ms: ${json.detail}`);
}

/** It lives, and nothing happened to it that it did not expect. */
export async function assertUnharmed(service: Service): Promise<void> {
  assert.equal((await fetch(`${service.url}/livez`)).status, 200);
  assert.equal(service.stderr, "");
  assert.deepEqual(
    service.lines.filter(({ status }) => status === 500),
    [],
  );
}
