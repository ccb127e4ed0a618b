import { readdirSync, readFileSync } from "node:fs";
import { join, posix, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** What the files of one room may import beside each other. A name that ends in `*` stands for all that begin so. */
export interface RoomLaw {
  /** Other rooms of the tree. */
  readonly rooms?: readonly string[];
  /** Modules by the name they are imported under: `parapet/errors`, `node:*`. */
  readonly modules?: readonly string[];
  /** Modules of which only types may be imported. */
  readonly types?: readonly string[];
}

/** The rooms of a tree, by folder relative to its root. A file that stands in no room is a breach by itself. */
export interface ImportLaw {
  readonly rooms: Readonly<Record<string, RoomLaw>>;
  /** The one file through which rooms reach each other, when they have a door at all: `index.ts`. */
  readonly door?: string;
}

/** Where what is kept is kept. */
const STORES = ["parapet/postgres", "parapet/cache", "parapet/outbox", "parapet/idempotency"];

/**
 * The law of a service: imports point inwards, from the doors to the model. `thirdParty` names, room by room, the
 * modules beyond Parapet that this service uses; what is not named may not be imported.
 */
export function serviceLaw(thirdParty: Readonly<Record<string, readonly string[]>> = {}): ImportLaw {
  const room = (folder: string, law: RoomLaw): RoomLaw => ({
    ...law,
    modules: [...(law.modules ?? []), ...(thirdParty[folder] ?? [])],
  });
  return {
    rooms: {
      "internal/model": room("internal/model", {
        modules: ["parapet/errors"],
        types: ["parapet/context", "parapet/contract"],
      }),
      "internal/service": room("internal/service", {
        rooms: ["internal/model"],
        modules: ["parapet/errors", "parapet/context"],
        types: ["parapet/contract"],
      }),
      "internal/handler": room("internal/handler", {
        rooms: ["internal/model", "internal/service", "pkg/client"],
        modules: ["parapet/http", "parapet/messaging", "parapet/contract", "parapet/errors", "parapet/context"],
      }),
      "internal/gateway": room("internal/gateway", {
        rooms: ["internal/model"],
        modules: ["parapet/client", "parapet/errors", "parapet/context"],
      }),
      "internal/repository": room("internal/repository", {
        rooms: ["internal/model", "pkg/client"],
        modules: [...STORES, "parapet/contract", "parapet/errors", "parapet/context"],
      }),
      "pkg/client": room("pkg/client", { modules: ["parapet/contract", "parapet/context"] }),
      migrations: { modules: STORES },
      cmd: { rooms: ["*"], modules: ["*"] },
      test: { rooms: ["*"], modules: ["*"] },
    },
  };
}

/**
 * Every import under `root` that the law does not allow, each as a line that says where it stands; empty when the law
 * holds. Tests, suites and what they start (`x.test.ts`, `x.suite.ts`, `x.fixture.ts`, `x.harness.ts`) may import anything. Folders `dist` and `node_modules` are left out.
 */
export function importBreaches(root: URL, law: ImportLaw): string[] {
  const folder = fileURLToPath(root);
  return sources(folder).flatMap((file) => breachesOf(folder, file, law));
}

/** One import of a source text; `export … from` and `import()` are imports too. */
interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
  readonly line: number;
}

// Formatted code has its imports at the start of a line, and their clause holds names, braces, commas and stars alone.
const STATIC_IMPORT = /^(?:import|export)\s+(type\s+)?(?:[\w$*\s{},]+?\s+from\s+)?["']([^"'\n]+)["']/gm;
const CALLED_IMPORT = /()\b(?:import|require)\(\s*["']([^"'\n]+)["']/g;

function importsOf(source: string): Import[] {
  const matches = [...source.matchAll(STATIC_IMPORT), ...source.matchAll(CALLED_IMPORT)];
  return matches
    .map(({ 1: type, 2: specifier = "", index }) => ({
      specifier,
      typeOnly: type !== undefined && type !== "",
      line: source.slice(0, index).split("\n").length,
    }))
    .sort((a, b) => a.line - b.line);
}

function breachesOf(root: string, file: string, law: ImportLaw): string[] {
  const room = roomOf(file, law);
  if (room === undefined) return [`${file} stands in no room`];
  return importsOf(readFileSync(join(root, file), "utf8"))
    .filter((found) => !isAllowed(file, room, found, law))
    .map(({ specifier, typeOnly, line }) => `${file}:${line} imports ${typeOnly ? "types of " : ""}${specifier}`);
}

function isAllowed(file: string, room: string, { specifier, typeOnly }: Import, law: ImportLaw): boolean {
  const { rooms = [], modules = [], types = [] } = law.rooms[room] ?? {};
  if (!specifier.startsWith(".")) return covers(modules, specifier) || (typeOnly && covers(types, specifier));
  const target = posix.join(posix.dirname(file), specifier);
  const targetRoom = roomOf(target, law);
  if (targetRoom === room) return true;
  if (targetRoom === undefined || !covers(rooms, targetRoom)) return false;
  return law.door === undefined || target === `${targetRoom}/${law.door}`;
}

function covers(names: readonly string[], name: string): boolean {
  return names.some((allowed) => (allowed.endsWith("*") ? name.startsWith(allowed.slice(0, -1)) : name === allowed));
}

function roomOf(file: string, law: ImportLaw): string | undefined {
  return Object.keys(law.rooms).find((room) => file.startsWith(`${room}/`));
}

function sources(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .map((file) => file.split(sep).join("/"))
    .filter((file) => /\.[cm]?tsx?$/.test(file) && !/\.(test|suite|fixture|harness)\.ts$/.test(file))
    .filter((file) => !/(^|\/)(node_modules|dist)\//.test(file))
    .sort();
}
