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

/** The services of a workspace, by name. Throws `not_found` when there is none. */
export function findServices(root: string): Service[] {
  const folder = join(root, "services");
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  const services = names.map((name) => serviceIn(join(folder, name))).filter(({ entry }) => existsSync(entry));
  if (services.length === 0) {
    throw new AppError("not_found", `no services in ${root}: a service is a folder services/<name>/cmd/server/main.ts`);
  }
  return services;
}

/** The service in this folder. */
export function serviceIn(dir: string): Service {
  return { name: basename(dir), dir, entry: join(dir, "cmd", "server", "main.ts") };
}

/** The version in a service's `package.json`; `0.0.0` when it says none. */
export function versionOf(service: Service): string {
  const file = join(service.dir, "package.json");
  const version: unknown = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).version : undefined;
  return typeof version === "string" ? version : "0.0.0";
}
