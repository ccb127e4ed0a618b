import { type EventContract, openValidator } from "../contract/index.ts";
import { AppError } from "../errors/index.ts";
import type { ReceivedMessage } from "./message.ts";

/** A message that is what it should be. */
export interface ReadEvent {
  readonly id: string;
  readonly key: string;
  readonly time: Date;
  readonly data: unknown;
}

/** Reads the messages of one event. Throws `invalid` for what is none; the fields name the broken rules, and nothing of the data. */
export type EventReader = (message: ReceivedMessage) => ReadEvent;

// Fatal, so that no broken text passes for another.
const utf8 = new TextDecoder("utf-8", { fatal: true });
const MAX_ID_LENGTH = 255;

/** Makes the reader of an event, once, at boot. */
export function eventReader({ schema }: EventContract): EventReader {
  const { accepts, violations } = openValidator(schema);
  return ({ id, key = "", time = new Date(), data: bytes }) => {
    if (id === undefined || id.length > MAX_ID_LENGTH) throw unfit("a message needs an id of at most 255 characters");
    const data = parse(bytes);
    if (accepts(data)) return { id, key, time, data };
    throw unfit(
      "a message breaks its contract",
      violations(data, "body").map(({ field, rule }) => `${field} ${rule}`),
    );
  };
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    // What the parser says repeats what the message says.
    throw unfit("a message is not JSON");
  }
}

function unfit(message: string, violations: readonly string[] = []): AppError {
  return new AppError("invalid", message, { fields: { violations } });
}
