import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { contractCurls } from "./contract-curls.ts";
import { serviceIn } from "./workspace.ts";

const modules = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..", "node_modules");

/** A service that publishes this contract, or none. */
function publishing(t: TestContext, contract: string | undefined) {
  const dir = mkdtempSync(join(tmpdir(), "parapet-test-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  symlinkSync(modules, join(dir, "node_modules"));
  mkdirSync(join(dir, "pkg", "client"), { recursive: true });
  if (contract !== undefined) writeFileSync(join(dir, "pkg", "client", "index.ts"), contract);
  return {
    ...serviceIn(dir),
    port: 8080,
    databaseUrl: "postgres://127.0.0.1/x",
    amqpUrl: "",
    neighbours: {},
    workDir: join(dir, "work"),
  };
}

test("the contract says what to create and what to list; the body keeps its rules and survives the shell", async (t) => {
  const service = publishing(
    t,
    `import { api, get, post } from "parapet/contract";
    import { Type } from "typebox";
    const NewPet = Type.Object({
      name: Type.String({ minLength: 1 }),
      email: Type.String({ pattern: "^[^@]+@[^@]+$" }),
      owner: Type.String({ format: "email" }),
      nick: Type.String({ examples: ["Ol' Blue"] }),
      legs: Type.Integer({ minimum: 2 }),
      note: Type.Optional(Type.String()),
    });
    export const petsApi = api("pets", {
      getPet: get("/pets/{id}", { params: Type.Object({ id: Type.String() }) }),
      listPets: get("/pets", {}),
      createPet: post("/pets", { body: NewPet }),
    });`,
  );
  const [create = "", list, metrics] = await contractCurls(service);
  assert.equal(list, "curl localhost:8080/pets");
  assert.equal(metrics, "curl localhost:8080/metrics");
  const pasted = spawnSync("sh", ["-c", create.replace("curl", "printf '%s\\n'")], { encoding: "utf8" }).stdout.split(
    "\n",
  );
  assert.deepEqual(pasted.slice(0, 5), ["-i", "localhost:8080/pets", "-H", "content-type: application/json", "-d"]);
  const { email, owner, ...rest } = JSON.parse(pasted[5] ?? "");
  assert.deepEqual(rest, { name: "Ada Lovelace", nick: "Ol' Blue", legs: 2 });
  assert.match(email, /^ada-\w{4}@example\.com$/);
  assert.equal(owner, email);
});

test("a body that no example fits is not offered, nor anything of a service without a contract", async (t) => {
  const picky = publishing(
    t,
    `import { api, post } from "parapet/contract";
    import { Type } from "typebox";
    export const pickyApi = api("picky", { add: post("/codes", { body: Type.String({ pattern: "^[0-9]+$" }) }) });`,
  );
  assert.deepEqual(await contractCurls(picky), ["curl localhost:8080/metrics"]);
  assert.deepEqual(await contractCurls(publishing(t, undefined)), ["curl localhost:8080/metrics"]);
});
