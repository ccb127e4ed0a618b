import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

interface LockedPackage {
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly link?: boolean;
  readonly resolved?: string;
  readonly integrity?: string;
}

const lockfile = readFileSync(new URL("../package-lock.json", import.meta.url), "utf8");
const { packages } = JSON.parse(lockfile) as { packages: Readonly<Record<string, LockedPackage>> };
const installed = Object.entries(packages).filter(([path, { link }]) => path.includes("node_modules/") && !link);

test("the lockfile names no registry, so that it works with a mirror as well", () => {
  assert.deepEqual(
    installed.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path),
    [],
  );
});

test("the lockfile pins every package by its checksum", () => {
  assert.ok(installed.length > 0);
  assert.deepEqual(
    installed.filter(([, { integrity }]) => !integrity?.startsWith("sha512-")).map(([path]) => path),
    [],
  );
});

test("the lockfile has the packages of every platform, or npm ci refuses it", () => {
  const locked = new Set(Object.keys(packages).map((path) => path.slice(path.lastIndexOf("node_modules/"))));
  const named = Object.values(packages).flatMap(({ optionalDependencies }) => Object.keys(optionalDependencies ?? {}));
  assert.deepEqual(
    named.filter((name) => !locked.has(`node_modules/${name}`)),
    [],
  );
});
