import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's folder. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** How many test files run at once: they wait more than they work. */
export const TEST_CONCURRENCY = availableParallelism() + 1;

/** All test files below the root, by path relative to it, in order; with filters, those whose path holds one of them. */
export function testFiles(filters: readonly string[] = []): string[] {
  return testFolders()
    .flatMap(filesBelow)
    .filter((file) => file.endsWith(".test.ts"))
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
    .sort();
}

function testFolders(): string[] {
  const packages = children("packages").map((folder) => join(folder, "src"));
  const services = children("services").flatMap((folder) =>
    ["internal", "pkg", "cmd", "test"].map((room) => join(folder, room)),
  );
  return [...packages, ...services, "examples", "bench/src", "scripts"].filter((folder) =>
    existsSync(join(ROOT, folder)),
  );
}

function children(folder: string): string[] {
  return readdirSync(join(ROOT, folder)).map((name) => join(folder, name));
}

function filesBelow(folder: string): string[] {
  const absolute = join(ROOT, folder);
  return readdirSync(absolute, { recursive: true, encoding: "utf8" }).map((file) =>
    relative(ROOT, join(absolute, file)).split(sep).join("/"),
  );
}
