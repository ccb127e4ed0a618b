import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** A pattern that no line may have in the files that `where` picks; lines of comment are read when `comments` says so. */
interface SourceLaw {
  readonly title: string;
  readonly pattern: RegExp;
  readonly where: (file: string) => boolean;
  readonly comments?: boolean;
}

const isChassis = (file: string) => file.startsWith("packages/parapet/src/");
const isService = (file: string) => file.startsWith("services/");
const isTest = (file: string) =>
  /\.(test|suite|fixture|harness)\.ts$/.test(file) || /^services\/[^/]+\/test\//.test(file);

const LAWS: readonly SourceLaw[] = [
  {
    title: "async local storage stays out of the chassis and the services: a context is passed by hand",
    pattern: /\bAsyncLocalStorage\b/,
    where: (file) => (isChassis(file) || isService(file)) && !file.startsWith("packages/parapet/src/trace/"),
  },
  {
    title: "the environment is read in a service's cmd alone, and reaches the rest as configuration",
    pattern: /\bprocess\.env\b/,
    where: (file) =>
      !isTest(file) &&
      (isChassis(file) || isService(file)) &&
      !/^(packages\/parapet\/src\/(config|testing)|services\/[^/]+\/cmd)\//.test(file),
  },
  {
    title: "the chassis writes to its log, never to the console",
    pattern: /\bconsole\./,
    where: (file) => isChassis(file) && !isTest(file),
  },
  {
    title: "nothing is left to be done in a comment",
    pattern: new RegExp(`\\b(${["TO", "DO"].join("")}|${["FIX", "ME"].join("")}|${["XX", "X"].join("")})\\b`),
    where: () => true,
    comments: true,
  },
];

for (const law of LAWS) {
  test(law.title, () => {
    assert.deepEqual(breaches(law, readSources()), []);
  });
}

test("a line that breaks a law is found, and a comment that only speaks of the thing is not", () => {
  const [storage, environment, console] = LAWS;
  assert.ok(storage && environment && console);
  const sources = new Map([
    ["packages/parapet/src/http/a.ts", "const a = 1;\nconst port = process.env.PORT;\n"],
    ["packages/parapet/src/http/b.ts", "// console.log is not for us\nconsole.log(1);\n * console.log\n"],
    ["packages/parapet/src/config/c.ts", "export const env = process.env;\n"],
    ["services/users/cmd/server/main.ts", "loadConfig(config, process.env);\n"],
    ["services/users/internal/model/d.ts", "const url = process.env.DATABASE_URL;\n"],
  ]);
  assert.deepEqual(breaches(storage, sources), []);
  assert.deepEqual(breaches(environment, sources), [
    "packages/parapet/src/http/a.ts:2",
    "services/users/internal/model/d.ts:1",
  ]);
  assert.deepEqual(breaches(console, sources), ["packages/parapet/src/http/b.ts:2"]);
});

function breaches(law: SourceLaw, sources: ReadonlyMap<string, string>): string[] {
  const isRead = (line: string) => law.comments === true || !/^\s*(\/\/|\/?\*)/.test(line);
  return [...sources]
    .filter(([file]) => law.where(file))
    .flatMap(([file, source]) =>
      source
        .split("\n")
        .flatMap((line, index) => (law.pattern.test(line) && isRead(line) ? [`${file}:${index + 1}`] : [])),
    );
}

function readSources(): Map<string, string> {
  const files = ["packages", "services", "scripts"]
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((file) => `${folder}/${file}`),
    )
    .map((file) => file.split(sep).join("/"))
    .filter((file) => /\.[cm]?[jt]s$/.test(file) && !/\/(node_modules|dist)\//.test(file));
  return new Map(files.map((file) => [file, readFileSync(join(ROOT, file), "utf8")]));
}
