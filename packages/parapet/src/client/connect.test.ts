import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import test, { type TestContext } from "node:test";
import { Type } from "typebox";
import { api, post } from "../contract/index.ts";
import { hasCode, isOutcomeUnknown } from "../errors/index.ts";
import { createRegistry } from "../metrics/index.ts";
import { testContext } from "../testing/test-context.ts";
import { createClient } from "./client.ts";

const FULL = `const server = require("node:net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () =>
  console.log(server.address().port))`;

/** A port where connections are neither taken nor refused: of a process that is frozen, with as many waiting as may. */
async function blackHole(t: TestContext): Promise<number> {
  const server = spawn(process.execPath, ["-e", FULL], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => server.kill("SIGKILL"));
  const [line] = await once(server.stdout, "data");
  const port = Number(line);
  server.kill("SIGSTOP");
  for (let waiting = 0; waiting < 20; waiting++) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    t.after(() => socket.destroy());
    const isTaken = await Promise.race([
      once(socket, "connect").then(() => true),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 200)),
    ]);
    if (!isTaken) return port;
  }
  return assert.fail("the system takes connections without an end");
}

test("H7: a service to which no connection comes about is given up after a second, and nothing was done", async (t) => {
  const ctx = testContext();
  const things = api("things", {
    makeThing: post("/thing", { status: 200, reply: Type.Object({ n: Type.Integer() }) }),
  });
  const baseUrl = `http://127.0.0.1:${await blackHole(t)}`;
  const client = createClient(things, { baseUrl, log: ctx.log, metrics: createRegistry(), timeoutMs: 5000 });
  t.after(() => client.stop(testContext()).then(() => {}));
  await client.start(ctx);
  const startedAt = performance.now();
  await assert.rejects(client.makeThing(ctx), (thrown) => hasCode(thrown, "unavailable") && !isOutcomeUnknown(thrown));
  const ms = performance.now() - startedAt;
  assert.ok(ms >= 400 && ms < 3000, `${ms} ms`);
});
