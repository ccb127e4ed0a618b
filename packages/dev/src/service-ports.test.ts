import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { hasCode } from "parapet/errors";
import { freePort, portOf } from "./ports.ts";
import { servicePorts } from "./service-ports.ts";

test("services count up from the first port, and have any free ones for 0", async () => {
  const start = await freePort();
  assert.deepEqual(await servicePorts({ count: 1, first: String(start), afterKill: false }), [start]);
  const free = await servicePorts({ count: 3, first: "0", afterKill: false });
  assert.equal(new Set(free).size, 3);
});

test("a PORT that is no port, or leaves no room for the others, is invalid", async () => {
  for (const first of ["http", "-1", "1.5", "70000", "65535", " 80"]) {
    await assert.rejects(
      () => servicePorts({ count: 2, first, afterKill: false }),
      (thrown) => hasCode(thrown, "invalid") && /PORT must be a number from 1 to 65534/.test(thrown.message),
    );
  }
});

test("after a kill, a port that is about to be left is waited for", async () => {
  const leaving = createServer().listen(0);
  await once(leaving, "listening");
  const port = portOf(leaving);
  const waiting = servicePorts({ count: 1, first: String(port), afterKill: true });
  leaving.close();
  assert.deepEqual(await waiting, [port]);
});
