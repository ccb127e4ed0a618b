import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { documentConfig } from "parapet/config";
import { ordersConfig } from "../services/orders/cmd/server/config.ts";
import { usersConfig } from "../services/users/cmd/server/config.ts";
import { ROOT } from "./test-files.ts";

const README = readFileSync(join(ROOT, "README.md"), "utf8");
// A bundle brings its own, so nobody sets it.
const NOT_FOR_OPERATORS = new Set(["SERVICE_VERSION"]);

test("the README's table has every setting with its default, and no other", () => {
  const documented = Array.from(README.matchAll(/^\| `([A-Z_]+)` +\| (.+?) +\|/gm), ([, name, value]) => [name, value]);
  const actual = new Map(
    [usersConfig, ordersConfig]
      .flatMap((config) => documentConfig(config))
      .filter(({ variable }) => !NOT_FOR_OPERATORS.has(variable))
      .map(({ variable, required, default: value }) => [variable, required ? "required" : value || "unset"]),
  );
  assert.deepEqual(documented.toSorted(byName), [...actual].toSorted(byName));
});

test("the README's main.ts is the users service's", () => {
  const main = readFileSync(join(ROOT, "services/users/cmd/server/main.ts"), "utf8");
  const body = main.slice(main.indexOf("const config"));
  assert.ok(README.includes(body), "copy services/users/cmd/server/main.ts below its imports into README.md");
});

function byName([a = ""]: readonly (string | undefined)[], [b = ""]: readonly (string | undefined)[]): number {
  return a < b ? -1 : 1;
}
