import { promises as dns, type LookupAddress } from "node:dns";
import type { LookupFunction } from "node:net";

export interface LookupOptions {
  /** Name servers as `address:port`, instead of the system's. For tests. */
  readonly servers?: readonly string[];
  /** How the system finds a name, instead of `getaddrinfo`. For tests. */
  readonly system?: (name: string) => Promise<readonly LookupAddress[]>;
}

interface Resolution {
  readonly resolver: dns.Resolver;
  readonly system: (name: string) => Promise<readonly LookupAddress[]>;
}

/** The system says of no name how long it holds. */
const FRESH_MS = 10_000;
/** RFC 2308 allows minutes; a name that comes into being should not be missed for long. */
const ABSENT_MS = 1000;
/** How long who has an old address waits for a new one. */
const PATIENCE_MS = 200;
const SERVER_TIMEOUT_MS = 400;
/** More names than one service calls; the oldest is forgotten. */
const MAX_NAMES = 100;

interface Known {
  addresses: readonly LookupAddress[];
  /** Until when nobody asks again, on `performance.now()`'s clock. */
  until: number;
  failure: Error | undefined;
  asking: Promise<void> | undefined;
}

/**
 * Finds the addresses of names, each asked for by one query at a time, remembered for ten seconds, and for as long as name servers are away. Node's own
 * way has two places in all (libuv's thread pool, half of it), so that two names whose servers don't answer would delay every other; so names with
 * a dot are asked of the name servers directly, and only what these don't know of the system, with its hosts file and search list.
 */
export function createLookup({ servers, system = ofSystem }: LookupOptions = {}): LookupFunction {
  const resolver = new dns.Resolver({ timeout: SERVER_TIMEOUT_MS, tries: 2 });
  if (servers !== undefined) resolver.setServers(servers);
  const names = new Map<string, Known>();
  const knownOf = (name: string): Known => {
    const known = names.get(name) ?? { addresses: [], until: 0, failure: undefined, asking: undefined };
    names.delete(name);
    names.set(name, known);
    const [oldest] = names.keys();
    if (names.size > MAX_NAMES && oldest !== undefined) names.delete(oldest);
    return known;
  };
  return (name, { all = false }, callback) => {
    find({ resolver, system }, name, knownOf(name)).then(
      (addresses) => {
        const [{ address, family } = { address: "", family: 4 }] = addresses;
        if (all) callback(null, [...addresses]);
        else callback(null, address, family);
      },
      (failure) => callback(failure, "", 4),
    );
  };
}

async function find(resolution: Resolution, name: string, known: Known): Promise<readonly LookupAddress[]> {
  if (performance.now() >= known.until) {
    known.asking ??= ask(resolution, name, known);
    await (known.addresses.length === 0 ? known.asking : Promise.race([known.asking, patience()]));
  }
  if (known.addresses.length > 0) return known.addresses;
  throw known.failure ?? new Error(`no address of ${name} is known`);
}

async function ask(resolution: Resolution, name: string, known: Known): Promise<void> {
  try {
    known.addresses = await addressesOf(resolution, name);
    known.failure = undefined;
    known.until = performance.now() + FRESH_MS;
  } catch (thrown) {
    known.failure = thrown as Error;
    known.until = performance.now() + ABSENT_MS;
    // A name that is gone is gone; with servers that are away its last address is the best there is.
    if (isAbsent(thrown)) known.addresses = [];
  } finally {
    known.asking = undefined;
  }
}

async function addressesOf({ resolver, system }: Resolution, name: string): Promise<readonly LookupAddress[]> {
  if (!name.includes(".")) return system(name);
  const both = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  const found = both.flatMap((result, index) =>
    result.status === "fulfilled" ? result.value.map((address) => ({ address, family: index === 0 ? 4 : 6 })) : [],
  );
  if (found.length > 0) return found;
  const failures = both.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
  const failure = failures.find((reason) => !isAbsent(reason));
  if (failure !== undefined) throw failure;
  return system(name);
}

function ofSystem(name: string): Promise<readonly LookupAddress[]> {
  return dns.lookup(name, { all: true });
}

function isAbsent(thrown: unknown): boolean {
  return thrown instanceof Error && ["ENOTFOUND", "ENODATA"].includes((thrown as NodeJS.ErrnoException).code ?? "");
}

function patience(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PATIENCE_MS).unref());
}
