import assert from "node:assert/strict";
import { createSocket, type RemoteInfo } from "node:dgram";
import type { LookupAddress } from "node:dns";
import type { AddressInfo } from "node:net";
import test, { type TestContext } from "node:test";
import { createLookup } from "./lookup.ts";

type Answer = "none" | "SERVFAIL" | "NXDOMAIN" | string;

/** The name that a query asks for, and where the question ends. (RFC 1035, 4.1.2.) */
function questionOf(query: Buffer): { readonly name: string; readonly type: number; readonly end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join("."), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function toReply(query: Buffer, answer: Answer): Buffer | undefined {
  if (answer === "none") return undefined;
  const { type, end } = questionOf(query);
  const codes: Record<string, number> = { SERVFAIL: 2, NXDOMAIN: 3 };
  const isAddress = !(answer in codes) && type === 1;
  const head = Buffer.from(query.subarray(0, end));
  head.writeUInt16BE(0x8180 | (codes[answer] ?? 0), 2);
  head.writeUInt16BE(isAddress ? 1 : 0, 6);
  head.writeUInt32BE(0, 8);
  if (!isAddress) return head;
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...answer.split(".").map(Number)]);
  return Buffer.concat([head, record]);
}

/** A name server that answers as the test says, and the lookup that asks it. */
async function bench(t: TestContext, answers: Record<string, Answer>) {
  const asked: string[] = [];
  const server = createSocket("udp4");
  server.on("message", (query: Buffer, from: RemoteInfo) => {
    const { name, type } = questionOf(query);
    if (type === 1) asked.push(name);
    const reply = toReply(query, answers[name] ?? "NXDOMAIN");
    if (reply !== undefined) server.send(reply, from.port, from.address);
  });
  await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", () => resolve()));
  t.after(() => server.close());
  const system = async (name: string) => {
    if (name === "localhost") return [{ address: "127.0.0.1", family: 4 }];
    throw Object.assign(new Error("as told"), { code: "ENOTFOUND" });
  };
  const lookup = createLookup({ servers: [`127.0.0.1:${(server.address() as AddressInfo).port}`], system });
  const find = (name: string) =>
    new Promise<string>((resolve, reject) => {
      lookup(name, { all: true }, (failure, addresses) => {
        if (failure) reject(failure);
        else resolve((addresses as LookupAddress[]).map(({ address }) => address).join());
      });
    });
  return { lookup, find, asked };
}

/** Moves the clock on that addresses are kept by. */
function later(t: TestContext, ms: number): void {
  const now = performance.now.bind(performance);
  t.mock.method(performance, "now", () => now() + ms);
}

test("a name is asked for once, by all who want it, and remembered", async (t) => {
  const { find, lookup, asked } = await bench(t, { "live.example.test": "127.0.0.7" });
  assert.deepEqual(await Promise.all([find("live.example.test"), find("live.example.test")]), [
    "127.0.0.7",
    "127.0.0.7",
  ]);
  assert.equal(await find("live.example.test"), "127.0.0.7");
  assert.deepEqual(asked, ["live.example.test"]);
  const single = await new Promise((resolve) => lookup("live.example.test", {}, (...answer) => resolve(answer)));
  assert.deepEqual(single, [null, "127.0.0.7", 4]);
});

test("G8: names whose servers don't answer delay no other", async (t) => {
  const dead = Array.from({ length: 8 }, (_, n) => `dead${n}.example.test`);
  const answers = Object.fromEntries(dead.map((name) => [name, "none"]));
  const { find } = await bench(t, { ...answers, "live.example.test": "127.0.0.7" });
  const failing = Promise.allSettled(dead.map(find));
  const startedAt = performance.now();
  assert.equal(await find("live.example.test"), "127.0.0.7");
  assert.ok(performance.now() - startedAt < 800);
  assert.ok((await failing).every(({ status }) => status === "rejected"));
});

for (const failure of ["none", "SERVFAIL"]) {
  test(`G8: with name servers that fail (${failure}) the last address is used, without waiting for long`, async (t) => {
    const answers: Record<string, Answer> = { "live.example.test": "127.0.0.7" };
    const { find } = await bench(t, answers);
    await find("live.example.test");
    answers["live.example.test"] = failure;
    later(t, 60_000);
    const startedAt = performance.now();
    assert.equal(await find("live.example.test"), "127.0.0.7");
    assert.ok(performance.now() - startedAt < 1000);
  });
}

test("G8: a name that is gone is gone, is not asked for again at once, and is found when it is there", async (t) => {
  const answers: Record<string, Answer> = { "moved.example.test": "127.0.0.7" };
  const { find, asked } = await bench(t, answers);
  await find("moved.example.test");
  answers["moved.example.test"] = "NXDOMAIN";
  later(t, 60_000);
  await assert.rejects(find("moved.example.test"));
  const count = asked.length;
  await assert.rejects(find("moved.example.test"));
  assert.equal(asked.length, count);
  answers["moved.example.test"] = "127.0.0.8";
  later(t, 120_000);
  assert.equal(await find("moved.example.test"), "127.0.0.8");
});

test("a name without a dot is the system's to find", async (t) => {
  const { find, asked } = await bench(t, {});
  assert.equal(await find("localhost"), "127.0.0.1");
  assert.deepEqual(asked, []);
});
