import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { PassThrough } from "node:stream";
import test, { type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { createBroker, queuesOf } from "parapet/messaging";
import { createRegistry } from "parapet/metrics";
import { eventually, rabbitSandbox, testContext } from "parapet/testing";
import { drop, list, type Parking, replay, show } from "./verbs.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const FROM_SOURCE = ["--conditions=parapet-source", "--import", "@parapet/dev/register"];
const TIMEOUT_MS = 30_000;

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `parapet dlq`. */
function dlq(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Outcome> {
  return new Promise((resolve) => {
    const command = [...FROM_SOURCE, MAIN, "dlq", ...args];
    const options = { env: { PATH: process.env.PATH, ...env }, timeout: TIMEOUT_MS };
    const child = execFile(process.execPath, command, options, (_error, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
}

/** A group whose handler parks what it is told to. */
async function parkingGroup(t: TestContext) {
  const { url, channel, group: newGroup } = await rabbitSandbox(t);
  const group = newGroup();
  const ctx = testContext();
  const broker = createBroker(url, { log: ctx.log, metrics: createRegistry() });
  t.after(() => broker.stop(testContext()).then(() => {}));
  await broker.start(ctx);
  const handled: string[] = [];
  const state = { isBroken: true };
  const subscription = broker.subscribe({
    group,
    types: [`${group}.made.v1`],
    prefetch: 1,
    handle: async ({ message }) => {
      handled.push(message.id ?? "");
      return state.isBroken ? { kind: "park", error: "invalid: no such customer" } : { kind: "done" };
    },
  });
  t.after(() => subscription.stop(testContext()).then(() => {}));
  await eventually(() => subscription.notTakingBecause() === undefined, 10_000);
  const parkedCount = async () => (await channel.checkQueue(queuesOf(group).parking)).messageCount;
  for (const id of ["first", "second", "third"]) {
    const attributes = { id, type: `${group}.made.v1`, source: "bench", key: id, time: new Date(0), headers: {} };
    await broker.publish(ctx, { ...attributes, data: Buffer.from(JSON.stringify({ name: `\u009b1m${id}` })) });
  }
  await eventually(async () => (await parkedCount()) === 3, 10_000);
  handled.length = 0;
  /** What a verb prints. */
  const printed = async (verb: (parking: Parking) => Promise<void>): Promise<string> => {
    const out = new PassThrough();
    await verb({ url, group, out });
    return String(out.read() ?? "");
  };
  return { url, group, channel, handled, state, printed };
}

test("parked messages are listed, shown, replayed and dropped", async (t) => {
  const { url, group, handled, state, printed } = await parkingGroup(t);
  const ctx = testContext();
  const listed = await dlq(["ls", group], { AMQP_URL: url });
  assert.deepEqual([listed.code, listed.err], [0, ""]);
  const [head = "", ...rows] = listed.out.trimEnd().split("\n");
  assert.match(head, /^ {2}ID +TYPE +KEY +FAILURES +LAST +ERROR$/);
  assert.match(rows[0] ?? "", /^ {2}first +test_\w+\.made\.v1 +first +1 +\d{4}-\S+Z +invalid: no such customer$/);
  assert.equal(rows.at(-1), "  3 of 3 parked");

  const lines = await printed((parking) => list(ctx, parking, { limit: 9, json: true }));
  assert.deepEqual(idsIn(lines), ["first", "second", "third"]);
  const limited = await printed((parking) => list(ctx, parking, { limit: 1, json: false }));
  assert.match(limited, /1 of 3 parked; --limit <n> shows more\n$/);
  const shown = await printed((parking) => show(ctx, parking, ["second"]));
  assert.deepEqual(JSON.parse(shown).data, { name: "\u009b1msecond" });
  assert.equal(shown.includes("\u009b"), false, "what a terminal obeys is escaped");

  state.isBroken = false;
  assert.equal(await printed((parking) => replay(ctx, parking, ["first"], { newId: false })), "replayed first\n");
  await eventually(() => handled.length === 1);
  const renewed = await printed((parking) => replay(ctx, parking, ["second"], { newId: true }));
  assert.match(renewed, /^replayed second as [0-9a-f-]{36}\n$/);
  await eventually(() => handled.length === 2);
  assert.deepEqual(handled, ["first", renewed.trim().split(" ").at(-1)]);
  assert.equal(await printed((parking) => drop(ctx, parking, "all")), "dropped third\n");
  const nothing = await printed((parking) => list(ctx, parking, { limit: 9, json: false }));
  assert.equal(nothing, `${group} has nothing parked\n`);
});

test("a message without an id, or that is no JSON, can be told from others, shown and dropped", async (t) => {
  const { group, channel, printed } = await parkingGroup(t);
  const ctx = testContext();
  const { parking } = queuesOf(group);
  channel.sendToQueue(parking, Buffer.from("no json\u0000"));
  channel.sendToQueue(parking, Buffer.from([0xff, 0xfe]), { messageId: "evil\n\u001b[2J" });
  await eventually(async () => (await channel.checkQueue(parking)).messageCount === 5);
  const [byHash = "", evil = ""] = idsIn(
    await printed((parking) => list(ctx, parking, { limit: 9, json: true })),
  ).slice(3);
  assert.match(byHash, /^sha256:[0-9a-f]{12}$/);
  assert.equal(evil, "evil\\u{a}\\u{1b}[2J");
  const listed = await printed((parking) => list(ctx, parking, { limit: 9, json: false }));
  assert.equal(listed.includes("\u001b"), false, "what a terminal obeys is escaped");
  const shown = await printed((parking) => show(ctx, parking, [byHash, evil]));
  assert.match(shown, /"text": "no json\\u0000"/);
  assert.match(shown, /"base64": "\/\/4="/);
  const dropped = await printed((parking) => drop(ctx, parking, [byHash, evil]));
  assert.equal(dropped, `dropped ${byHash}\ndropped ${evil}\n`);
});

function idsIn(lines: string): string[] {
  return lines
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).id);
}

test("ids that are not parked are named, after the others had their turn", async (t) => {
  const { printed } = await parkingGroup(t);
  const ctx = testContext();
  const dropping = printed((parking) => drop(ctx, parking, ["none", "third", "neither"]));
  await assert.rejects(dropping, /not parked in test_\w+: none, neither$/);
  assert.deepEqual(idsIn(await printed((parking) => list(ctx, parking, { limit: 9, json: true }))), [
    "first",
    "second",
  ]);
});

test("a command that can't be followed is told why, and what to do", async () => {
  const AWAY = { AMQP_URL: "amqp://guest:guest@127.0.0.1:1" };
  const commands: readonly (readonly [readonly string[], Readonly<Record<string, string>>, RegExp])[] = [
    [["ls", "g"], {}, /^parapet: AMQP_URL is not set.*AMQP_URL=amqp:\/\/guest:guest@127\.0\.0\.1:5672/],
    [["ls", "g"], { AMQP_URL: "localhost" }, /^parapet: the url of a broker is amqp:\/\/ or amqps:\/\/, and a host\n$/],
    [["ls", "g"], AWAY, /^parapet: the broker can't be reached\n$/],
    [["replay", "g"], AWAY, /^parapet: say which messages: their ids, or --all\n$/],
    [["drop", "g", "first", "--all"], AWAY, /^parapet: say which messages: their ids, or --all\n$/],
    [["ls", "g", "--limit", "0"], AWAY, /positive number/],
    [["ls"], AWAY, /missing required argument 'group'/],
  ];
  const outcomes = await Promise.all(commands.map(([args, env]) => dlq(args, env)));
  for (const [index, [args, , message]] of commands.entries()) {
    const { code, err } = outcomes[index] ?? assert.fail("there is an outcome a command");
    assert.equal(code, 1, args.join(" "));
    assert.match(err, message);
  }
});
