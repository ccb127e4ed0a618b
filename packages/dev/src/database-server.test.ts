import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "parapet/errors";
import { databaseServer } from "./database-server.ts";
import { ensureDatabases } from "./postgres-databases.ts";

const options = { dir: "/nowhere", signal: AbortSignal.timeout(60_000), notify: () => {} };

test("a DATABASE_URL that is none of PostgreSQL's is invalid", async () => {
  for (const given of ["localhost", "mysql://localhost/users", "http://localhost"]) {
    await assert.rejects(
      () => databaseServer({ ...options, given }),
      (thrown) => hasCode(thrown, "invalid"),
    );
  }
});

test("a server that was given is used as it is, and shown without its password", async () => {
  const server = await databaseServer({ ...options, given: "postgres://me:hunter2@db.example:5432/main" });
  assert.equal(server.shown, "the server of DATABASE_URL, postgres://db.example:5432/main");
});

test("a server that does not answer is unavailable, and its password stays untold", async () => {
  await assert.rejects(
    () => ensureDatabases("postgres://me:hunter2@127.0.0.1:1/main", ["users"]),
    (thrown) =>
      hasCode(thrown, "unavailable") && /127\.0\.0\.1:1\/main/.test(thrown.message) && !/hunter2/.test(thrown.message),
  );
});
