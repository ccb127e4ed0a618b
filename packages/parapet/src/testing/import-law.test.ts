import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { type TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { type ImportLaw, importBreaches, serviceLaw } from "./import-law.ts";

function tree(t: TestContext, files: Readonly<Record<string, string>>): URL {
  const root = mkdtempSync(join(tmpdir(), "import-law-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, source] of Object.entries(files)) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), source);
  }
  return pathToFileURL(root);
}

test("a service whose imports point inwards has no breaches", (t) => {
  const root = tree(t, {
    "internal/model/user.ts": `import type { Context } from "parapet/context";\nimport { AppError } from "parapet/errors";\n`,
    "internal/service/users.ts": `import { v7 } from "uuid";\nimport {\n  type User,\n  newUser,\n} from "../model/user.ts";\n`,
    "internal/handler/routes.ts": `export { api } from "../../pkg/client/api.ts";\nimport { implement } from "parapet/http";\n`,
    "internal/repository/postgres/users.ts": `import { sql } from "parapet/postgres";\nimport "../rows.ts";\n`,
    "internal/repository/rows.ts": "export const columns = 'id';\n",
    "pkg/client/api.ts": `import { api } from "parapet/contract";\n`,
    "cmd/server/main.ts": `import pg from "pg";\nimport { users } from "../../internal/service/users.ts";\n`,
    "internal/model/user.test.ts": `import "../service/users.ts";\n`,
    "dist/server.ts": `import "anything";\n`,
  });
  assert.deepEqual(importBreaches(root, serviceLaw({ "internal/service": ["uuid"] })), []);
});

test("every way to import against the law is a breach, with the line it stands on", (t) => {
  const root = tree(t, {
    "internal/model/a.ts": `// the first line\nimport { withTimeout } from "parapet/context";\n`,
    "internal/model/b.ts": `import {\n  users,\n} from "../service/users.ts";\n`,
    "internal/model/c.ts": `import "pg";\nexport * from "pg-pool";\nexport type { Pool } from "pg-types";\n`,
    "internal/service/users.ts": `const load = () => import("../repository/users.ts");\n`,
    "internal/repository/users.ts": `const fs = require("node:fs");\nimport users, { type A } from "../../../other/pkg/client/index.ts";\n`,
    "internal/elsewhere/a.ts": "export {};\n",
  });
  assert.deepEqual(importBreaches(root, serviceLaw()), [
    "internal/elsewhere/a.ts stands in no room",
    "internal/model/a.ts:2 imports parapet/context",
    "internal/model/b.ts:1 imports ../service/users.ts",
    "internal/model/c.ts:1 imports pg",
    "internal/model/c.ts:2 imports pg-pool",
    "internal/model/c.ts:3 imports types of pg-types",
    "internal/repository/users.ts:1 imports node:fs",
    "internal/repository/users.ts:2 imports ../../../other/pkg/client/index.ts",
    "internal/service/users.ts:1 imports ../repository/users.ts",
  ]);
});

test("rooms with a door are reached through it alone", (t) => {
  const law: ImportLaw = { rooms: { low: {}, high: { rooms: ["low"], modules: ["node:*"] } }, door: "index.ts" };
  const root = tree(t, {
    "low/index.ts": `export { low } from "./low.ts";\n`,
    "low/low.ts": "export const low = 1;\n",
    "high/good.ts": `import { readFile } from "node:fs/promises";\nimport { low } from "../low/index.ts";\n`,
    "high/bad.ts": `import { low } from "../low/low.ts";\n`,
  });
  assert.deepEqual(importBreaches(root, law), ["high/bad.ts:1 imports ../low/low.ts"]);
});

test("words that only look like imports are left alone", (t) => {
  const root = tree(t, {
    "internal/model/a.ts": `/**\n * import x from "y"\n */\nexport const from = "pg";\nexport const text = 'import x from "pg"';\n`,
  });
  assert.deepEqual(importBreaches(root, serviceLaw()), []);
});
