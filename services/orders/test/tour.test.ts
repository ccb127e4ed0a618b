import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ownBroker, startOrders, startUsers } from "./orders-process.ts";

/** The commands of the README's tour. */
function tour(): string {
  const readme = readFileSync(fileURLToPath(new URL("../../../README.md", import.meta.url)), "utf8");
  const [, commands] = /```sh\n(id\(\)[\s\S]*?)```/.exec(readme) ?? [];
  return commands ?? assert.fail("the README has no tour");
}

test("the README's tour does what it says when it is pasted", async (t) => {
  const amqpUrl = await ownBroker(t);
  const users = await startUsers(t, amqpUrl);
  const orders = await startOrders(t, { usersUrl: users.url, amqpUrl });
  const commands = tour().replaceAll("localhost:8080", users.url).replaceAll("localhost:8081", orders.url);
  const { stdout } = await promisify(execFile)("bash", ["-c", commands], { timeout: 20_000 });
  const [paid, refused, page, nope, openapi] = stdout.split("\n");
  assert.equal(JSON.parse(paid ?? "").status, "paid");
  assert.equal(JSON.parse(refused ?? "").status, 409);
  const { items } = JSON.parse(page ?? "") as { items: { status: string; cancelReason?: string }[] };
  assert.deepEqual(
    items.map(({ status, cancelReason }) => [status, cancelReason]),
    [
      ["paid", undefined],
      ["canceled", "customer_deleted"],
    ],
  );
  assert.equal(JSON.parse(nope ?? "").code, "invalid");
  assert.equal(JSON.parse(openapi ?? "").openapi, "3.1.0");
  assert.match(stdout, /^client_calls_total\{service="users",operation="getUser",result="ok"\} 2$/m);
});
