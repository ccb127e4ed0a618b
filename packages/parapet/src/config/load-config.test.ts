import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const program = `
  import { defineConfig, loadConfig, port, url } from ${JSON.stringify(new URL("./index.ts", import.meta.url))};
  const description = "for the tests";
  const definition = defineConfig({
    port: port("PORT", { default: 8080, description }),
    databaseUrl: url("DATABASE_URL", { protocols: ["postgres:"], secret: true, description }),
  });
  console.log(JSON.stringify(loadConfig(definition, process.env)));`;

function load(env: Readonly<Record<string, string>>) {
  return spawnSync(process.execPath, [...process.execArgv, "--input-type=module", "--eval", program], {
    encoding: "utf8",
    env: { PATH: process.env.PATH, ...env },
  });
}

test("a wrong configuration ends the process with code 78 before anything else runs, all problems on stderr", () => {
  const { status, stdout, stderr } = load({ PORT: "a", DATABASE_URL: "mysql://users:swordfish@db" });
  assert.deepEqual([status, stdout], [78, ""]);
  assert.match(
    stderr,
    /^the configuration has 2 problems\n\nPORT is a text: "a"\n[\s\S]*\n\nDATABASE_URL is a URL \(not shown\)\n/,
  );
  assert.doesNotMatch(stderr, /swordfish| at /);
});

test("a right configuration is just returned", () => {
  const { status, stdout } = load({ DATABASE_URL: "postgres://db/users" });
  assert.deepEqual([status, JSON.parse(stdout)], [0, { port: 8080, databaseUrl: "postgres://db/users" }]);
});
