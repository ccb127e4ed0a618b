import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { AppError } from "parapet/errors";

/** A service of the workspace: a folder below `services/` with a `cmd/server/main.ts`. */
export interface Service {
  /** The folder's name: also that of its database, and the prefix of its log lines. */
  readonly name: string;
  readonly dir: string;
  /** The composition root. */
  readonly entry: string;
}

/**
 * The services of a workspace, each after those whose packages it depends on, and else by name: the order of their ports. Throws `not_found` when
 * there is none.
 */
export function findServices(root: string): Service[] {
  const folder = join(root, "services");
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  const services = names.map((name) => serviceIn(join(folder, name))).filter(({ entry }) => existsSync(entry));
  if (services.length === 0) {
    throw new AppError("not_found", `no services in ${root}: a service is a folder services/<name>/cmd/server/main.ts`);
  }
  return neighboursFirst(services);
}

function neighboursFirst(services: readonly Service[]): Service[] {
  const waiting = services.map((service) => ({ service, manifest: manifestOf(service) }));
  const placed: Service[] = [];
  while (waiting.length > 0) {
    const names = new Set(waiting.map(({ manifest }) => manifest.name));
    const isFree = ({ manifest }: (typeof waiting)[number]) =>
      Object.keys(manifest.dependencies ?? {}).every((name) => name === manifest.name || !names.has(name));
    // Of some that wait for each other the first by name goes first.
    const [next] = waiting.splice(Math.max(0, waiting.findIndex(isFree)), 1);
    if (next !== undefined) placed.push(next.service);
  }
  return placed;
}

/** The service in this folder. */
export function serviceIn(dir: string): Service {
  return { name: basename(dir), dir, entry: join(dir, "cmd", "server", "main.ts") };
}

/** The version in a service's `package.json`; `0.0.0` when it says none. */
export function versionOf(service: Service): string {
  const { version } = manifestOf(service);
  return typeof version === "string" ? version : "0.0.0";
}

interface Manifest {
  readonly name?: string;
  readonly version?: unknown;
  readonly dependencies?: Readonly<Record<string, string>>;
}

function manifestOf({ dir }: Service): Manifest {
  const file = join(dir, "package.json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
}

/** Where a service finds another one: the name of the variable, `USERS_URL`. */
export function urlVariableOf({ name }: Pick<Service, "name">): string {
  return `${name.toUpperCase().replaceAll("-", "_")}_URL`;
}
