import type { PublishedEvent } from "./published-events.ts";

/** What a client knows of a user that was said to be created. */
export interface Known {
  attemptedUpdates: number;
  acknowledgedUpdates: number;
  deletion: "none" | "attempted" | "acknowledged";
}

/** How things are when all is quiet. */
export interface Outcome {
  /** The users that there are, by id, and the version of each. */
  readonly stored: ReadonlyMap<string, number>;
  /** All events that were published, in their order, also more than once. */
  readonly events: readonly PublishedEvent[];
  /** How often an event of a user took effect. */
  countOf(userId: string, type: string): number;
}

const CREATED = "users.user.created.v1";
const UPDATED = "users.user.updated.v1";
const DELETED = "users.user.deleted.v1";

/** What is lost, doubled, invented or out of order, in words, given what was acknowledged to clients. */
export function problemsIn(known: ReadonlyMap<string, Known>, outcome: Outcome): string[] {
  const published = publishedByUser(outcome.events);
  const ids = new Set([...outcome.stored.keys(), ...known.keys(), ...published.keys()]);
  return [...ids].flatMap((id) => {
    const events = published.get(id) ?? [];
    const problems = problemsOf(id, { known: known.get(id), published: events, outcome });
    return problems.map((problem) => `${id}: ${problem}; published ${events.join(", ")}`);
  });
}

interface Life {
  readonly known: Known | undefined;
  /** Types and versions, each once. */
  readonly published: readonly string[];
  readonly outcome: Outcome;
}

function problemsOf(id: string, { known, published, outcome: { stored, countOf } }: Life): string[] {
  const version = stored.get(id);
  const isGone = version === undefined;
  const updates = isGone ? published.filter((event) => event.startsWith(UPDATED)).length : version - 1;
  const happened = [
    `${CREATED} 1`,
    ...Array.from({ length: updates }, (_, n) => `${UPDATED} ${n + 2}`),
    ...(isGone ? [`${DELETED} ${updates + 1}`] : []),
  ];
  const effects = [CREATED, UPDATED, DELETED].map((type) => countOf(id, type)).join();
  const isUnknown = known === undefined;
  const { acknowledgedUpdates = 0, attemptedUpdates = updates, deletion } = known ?? {};
  return [
    ...(isGone && isUnknown ? ["a user who never was"] : []),
    ...(isGone && deletion === "none" ? ["gone, and nobody deleted it"] : []),
    ...(!isGone && deletion === "acknowledged" ? ["its deletion is lost"] : []),
    ...(updates < acknowledgedUpdates ? [`${acknowledgedUpdates - updates} updates are lost`] : []),
    ...(updates > attemptedUpdates ? [`${updates - attemptedUpdates} updates that nobody asked for`] : []),
    ...(published.join() === happened.join() ? [] : [`not published as it happened: ${happened.join(", ")}`]),
    ...(effects === [1, updates, isGone ? 1 : 0].join() ? [] : [`took effect ${effects} times`]),
  ];
}

/** Each event where it came first. */
function publishedByUser(events: readonly PublishedEvent[]): ReadonlyMap<string, readonly string[]> {
  const firsts = new Map(events.toReversed().map((event) => [event.id, event]));
  const byUser = new Map<string, string[]>();
  for (const event of events) {
    if (firsts.get(event.id) !== event) continue;
    const { type, data } = event;
    const published = byUser.get(data.id) ?? [];
    published.push(`${type} ${data.version}`);
    byUser.set(data.id, published);
  }
  return byUser;
}
