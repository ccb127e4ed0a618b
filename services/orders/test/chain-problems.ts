import type { Order } from "../pkg/client/index.ts";
import type { KnownOrder } from "./chain-ledger.ts";

/** What clients were told. */
export interface Told {
  readonly orders: ReadonlyMap<string, KnownOrder>;
  readonly users: ReadonlySet<string>;
  readonly deleted: ReadonlySet<string>;
  readonly unanswered: readonly string[];
}

/** How things are when all is quiet. */
export interface Outcome {
  /** The orders that there are, by id. */
  readonly stored: ReadonlyMap<string, Pick<Order, "userId" | "status" | "version" | "cancelReason">>;
  /** All events of orders that were published, in their order, also more than once. */
  readonly events: readonly { readonly id: string; readonly type: string; readonly data: Order }[];
  /** What orders has heard of users, by id. */
  readonly customers: ReadonlyMap<string, { readonly version: number; readonly isDeleted: boolean }>;
}

/** What is lost, doubled, invented or out of order, in words, given what was told to clients. */
export function chainProblems(told: Told, outcome: Outcome): string[] {
  const published = publishedByOrder(outcome.events);
  const ids = new Set([...told.orders.keys(), ...outcome.stored.keys(), ...published.keys()]);
  return [
    ...told.unanswered.map((what) => `never answered: ${what}`),
    ...[...ids].flatMap((id) => {
      const problems = problemsOf(id, { told, outcome, published: published.get(id) ?? [] });
      return problems.map((problem) => `order ${id}: ${problem}`);
    }),
    ...[...told.users].flatMap((id) => {
      const customer = outcome.customers.get(id);
      if (customer === undefined || customer.version === 0) return [`user ${id}: never heard of`];
      return customer.isDeleted === told.deleted.has(id)
        ? []
        : [`user ${id}: gone is ${customer.isDeleted}, and was not told so`];
    }),
  ];
}

interface Case {
  readonly told: Told;
  readonly outcome: Outcome;
  readonly published: readonly string[];
}

function problemsOf(id: string, { told, outcome, published }: Case): string[] {
  const [known, stored] = [told.orders.get(id), outcome.stored.get(id)];
  if (stored === undefined) return [known === undefined ? "announced, and never was" : "lost"];
  // Each request was repeated under its key until it was answered.
  if (known === undefined) return ["nobody was told of it: doubled, or invented"];
  const isGone = told.deleted.has(known.userId);
  const expected = known.move !== "none" ? known.move : isGone ? "canceled" : "open";
  const reason = expected === "canceled" ? (known.move === "canceled" ? "requested" : "customer_deleted") : undefined;
  const happened = ["orders.order.placed.v1 1", ...(expected === "open" ? [] : [`orders.order.${expected}.v1 2`])];
  return [
    ...(stored.status === expected ? [] : [`${stored.status}, and should be ${expected}`]),
    ...(stored.cancelReason === reason ? [] : [`canceled since ${stored.cancelReason}, and not ${reason}`]),
    ...(stored.version === happened.length ? [] : [`in version ${stored.version}`]),
    ...(published.join() === happened.join() ? [] : [`published ${published.join(", ")}`]),
  ];
}

/** Each event where it came first. */
function publishedByOrder(events: Outcome["events"]): ReadonlyMap<string, readonly string[]> {
  const seen = new Set<string>();
  const byOrder = new Map<string, string[]>();
  for (const { id, type, data } of events) {
    if (seen.has(id)) continue;
    seen.add(id);
    const published = byOrder.get(data.id) ?? [];
    published.push(`${type} ${data.version}`);
    byOrder.set(data.id, published);
  }
  return byOrder;
}
