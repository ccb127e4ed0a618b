import { randomUUID } from "node:crypto";
import type { Writable } from "node:stream";
import { formatTable } from "@parapet/dev";
import type { Context } from "parapet/context";
import { AppError } from "parapet/errors";
import { type ParkedDelivery, parkedDeliveries } from "parapet/messaging";
import { attributesOf, contentOf, nameOf, printable } from "./parked-message.ts";

/** Whose messages, and where they are. */
export interface Parking {
  /** Of the RabbitMQ. */
  readonly url: string;
  readonly group: string;
  /** Where to print. */
  readonly out: Writable;
}

/** Which messages: all, or those with these ids. */
export type Selection = "all" | readonly string[];

export interface ListOptions {
  /** How many at most. */
  readonly limit: number;
  /** One JSON object a line, for programs. */
  readonly json: boolean;
}

const HEADINGS = ["ID", "TYPE", "KEY", "FAILURES", "LAST", "ERROR"];

/** Prints what is parked, oldest first. */
export async function list(ctx: Context, parking: Parking, { limit, json }: ListOptions): Promise<void> {
  const rows: string[][] = [];
  let shown = 0;
  let remaining = 0;
  for await (const parked of parkedDeliveries(ctx, parking)) {
    shown++;
    remaining = parked.remaining;
    if (json) print(parking, escaped(JSON.stringify(attributesOf(parked))));
    else rows.push(rowOf(parked));
    if (shown >= limit) break;
  }
  if (json) return;
  if (shown === 0) return print(parking, `${parking.group} has nothing parked`);
  print(parking, formatTable([HEADINGS, ...rows]));
  print(parking, `\n  ${shown} of ${shown + remaining} parked${remaining > 0 ? "; --limit <n> shows more" : ""}`);
}

/** Prints messages with what they say, each as one JSON object. */
export async function show(ctx: Context, parking: Parking, ids: readonly string[]): Promise<void> {
  await eachOf(ctx, parking, ids, async (parked) => {
    print(parking, escaped(JSON.stringify({ ...attributesOf(parked), ...contentOf(parked) }, null, 2)));
  });
}

/** Puts messages back into their group's queue, as if they had never failed, and prints which. */
export async function replay(
  ctx: Context,
  parking: Parking,
  selection: Selection,
  { newId }: { readonly newId: boolean },
): Promise<void> {
  await eachOf(ctx, parking, selection, async (parked) => {
    const id = newId ? randomUUID() : undefined;
    await parked.replay(id);
    print(parking, `replayed ${nameOf(parked)}${id === undefined ? "" : ` as ${id}`}`);
  });
}

/** Deletes messages, and prints which. */
export async function drop(ctx: Context, parking: Parking, selection: Selection): Promise<void> {
  await eachOf(ctx, parking, selection, async (parked) => {
    await parked.drop();
    print(parking, `dropped ${nameOf(parked)}`);
  });
}

/** Throws `not_found` for ids that are not parked, after the others had their turn. */
async function eachOf(
  ctx: Context,
  parking: Parking,
  selection: Selection,
  act: (parked: ParkedDelivery) => Promise<void>,
): Promise<void> {
  const missing = new Set(selection === "all" ? [] : selection);
  const wanted = new Set(missing);
  // To the end: a process that was killed may have parked a message twice.
  for await (const parked of parkedDeliveries(ctx, parking)) {
    const name = nameOf(parked);
    if (selection !== "all" && !wanted.has(name)) continue;
    missing.delete(name);
    await act(parked);
  }
  if (missing.size > 0) throw new AppError("not_found", `not parked in ${parking.group}: ${[...missing].join(", ")}`);
}

function rowOf(parked: ParkedDelivery): string[] {
  const { id, type = "-", key = "-", failures, failedAt, error } = attributesOf(parked);
  return [id, type, key, String(failures), failedAt?.toISOString() ?? "-", error].map(printable);
}

/** JSON that stays JSON: `JSON.stringify` leaves some of what a terminal obeys as it is. */
function escaped(json: string): string {
  return json.replace(/[\u007f-\u009f\p{Cf}\u2028\u2029]/gu, (char) =>
    [...Array(char.length).keys()].map((i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, "0")}`).join(""),
  );
}

function print({ out }: Parking, text: string): void {
  out.write(`${text}\n`);
}
