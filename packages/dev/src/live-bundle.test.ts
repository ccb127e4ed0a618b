import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { LiveBundle } from "./live-bundle.ts";
import { serviceIn } from "./workspace.ts";

/** A bundle of two sources and a migration, and a way to save them. */
async function live(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), "parapet-test-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const service = serviceIn(join(root, "services", "greeter"));
  const save = (path: string, text: string) => {
    mkdirSync(dirname(join(service.dir, path)), { recursive: true });
    writeFileSync(join(service.dir, path), text);
  };
  save("first.sql", "select 1;\n");
  save("greeting.ts", 'export const greeting = "hello";\n');
  save(
    "cmd/server/main.ts",
    `import sql from "../../first.sql";
    import { greeting } from "../../greeting.ts";
    console.log(greeting, sql);`,
  );
  const outfile = join(root, "server.mjs");
  const bundle = await LiveBundle.create({ root, service, outfile, colour: false });
  t.after(() => bundle.close());
  return { bundle, save, bundled: () => readFileSync(outfile, "utf8") };
}

test("the same sources, saved again, give the same build; other ones another", async (t) => {
  const { bundle, save } = await live(t);
  const first = await bundle.build();
  save("greeting.ts", 'export const greeting = "hello";\n');
  assert.deepEqual(await bundle.build(), first);
  save("greeting.ts", 'export const greeting = "hi";\n');
  const second = await bundle.build();
  assert.notEqual(second.print, first.print);
  assert.equal(second.sqlPrint, first.sqlPrint);
  save("first.sql", "select 2;\n");
  assert.notEqual((await bundle.build()).sqlPrint, first.sqlPrint);
});

for (const path of ["greeting.ts", "first.sql"]) {
  const text = path.endsWith(".sql") ? "select 1;\n" : 'export const greeting = "hello";\n';

  test(`a save that has emptied ${path} and not filled it yet is waited for`, async (t) => {
    const { bundle, save } = await live(t);
    const before = await bundle.build();
    save(path, "");
    const building = bundle.build();
    setTimeout(() => save(path, text), 100);
    assert.deepEqual(await building, before);
  });
}

test("a source that stays empty is bundled as it is, and holds up no build after that", async (t) => {
  const { bundle, save, bundled } = await live(t);
  await bundle.build();
  save("first.sql", "");
  await bundle.build();
  assert.doesNotMatch(bundled(), /select 1/);
  save("greeting.ts", 'export const greeting = "hi";\n');
  const startedAt = performance.now();
  await bundle.build();
  t.diagnostic(`built again in ${(performance.now() - startedAt).toFixed(0)} ms`);
  assert.match(bundled(), /"hi"/);
  assert.ok(performance.now() - startedAt < 1_000);
});
