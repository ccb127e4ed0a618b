// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the strings hold source text.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { type TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { sqlTemplates } from "./sql-templates.ts";

function folderOf(t: TestContext, files: Readonly<Record<string, string>>): URL {
  const root = mkdtempSync(join(tmpdir(), "sql-templates-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, source] of Object.entries(files)) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), source);
  }
  return pathToFileURL(`${root}/`);
}

test("every template is found with its place, cut at its parameters", (t) => {
  const folder = folderOf(t, {
    "a.ts": "const a = sql`select 1`;\n\nconst b = sql(UserRow)`select ${id} from users\n  limit ${limit}`;\n",
    "deep/b.ts": 'sql(row({ at: "timestamptz" }))`select now() as at`;',
  });
  assert.deepEqual(sqlTemplates(folder), [
    { place: "a.ts:1", source: ["select 1"] },
    { place: "a.ts:3", source: ["select ", " from users\n  limit ", ""] },
    { place: join("deep", "b.ts:1"), source: ["select now() as at"] },
  ]);
});

test("parameters may hold braces, strings and templates of their own", (t) => {
  const folder = folderOf(t, {
    "a.ts": 'sql`select ${f({ a: "}" })}, ${`x${"`"}y`}, ${\'\\\'}\'} from \\`quoted\\``;',
  });
  assert.deepEqual(sqlTemplates(folder)[0]?.source, ["select ", ", ", ", ", " from \\`quoted\\`"]);
});

test("comments, tests, suites, declarations and other tags are left alone", (t) => {
  const folder = folderOf(t, {
    "a.ts": "/**\n * sql`select 1`\n */\n// sql`select 2`\nmysql`select 3`; $.sql`select 4`; html`select 5`;",
    "a.test.ts": "sql`select 6`",
    "a.suite.ts": "sql`select 7`",
    "a.d.ts": "sql`select 8`",
    "node_modules/b/c.ts": "sql`select 9`",
    "a.js": "sql`select 10`",
  });
  assert.deepEqual(sqlTemplates(folder), []);
});

test("line endings do not matter", (t) => {
  const folder = folderOf(t, { "a.ts": "sql`select\r\n1`" });
  assert.deepEqual(sqlTemplates(folder)[0]?.source, ["select\n1"]);
});
