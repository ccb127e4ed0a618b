import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "parapet/errors";
import { RedisConversation } from "./redis-conversation.ts";
import { encodeCommand, encodeResp, type RespValue } from "./resp-value.ts";

const text = (value: string): RespValue => ({ kind: "bulk", value: Buffer.from(value) });
const array = (...values: readonly string[]): RespValue => ({ kind: "array", value: values.map(text) });
const push = (...values: readonly string[]): RespValue => ({ kind: "push", value: values.map(text) });
const OK: RespValue = { kind: "string", value: "OK" };

/** A connection, and what each reply of the server answers. */
function connected() {
  const conversation = new RedisConversation(1);
  const sends = (...words: readonly [string, ...string[]]) => {
    conversation.receive("client", encodeCommand(...words));
    const seen = conversation.next("client");
    assert.ok(seen);
    conversation.passed(seen);
  };
  const answers = (...values: readonly RespValue[]) => {
    conversation.receive("server", Buffer.concat(values.map(encodeResp)));
    return values.map(() => {
      const { name, args = [] } = conversation.next("server")?.command ?? {};
      return [name, ...args].join(" ");
    });
  };
  return { sends, answers };
}

test("replies answer the commands in their order, also errors and those inside of a transaction", () => {
  const { sends, answers } = connected();
  sends("GET", "a");
  sends("MULTI");
  sends("SET", "a", "1");
  sends("EXEC");
  const queued: RespValue = { kind: "string", value: "QUEUED" };
  const replies = [{ kind: "error", value: "ERR" }, OK, queued, { kind: "array", value: [OK] }] as const;
  assert.deepEqual(answers(...replies, OK), ["GET a", "MULTI", "SET a 1", "EXEC", ""]);
});

test("a push answers nothing, wherever it comes", () => {
  const { sends, answers } = connected();
  sends("HELLO", "3");
  sends("GET", "a");
  const invalidated = push("invalidate", "a");
  const attributed: RespValue = { kind: "attributed", attributes: [], value: invalidated };
  assert.deepEqual(answers(invalidated, OK, attributed, text("v"), invalidated), ["", "HELLO 3", "", "GET a", ""]);
});

test("what begins a subscription answers it, and what is published answers nothing", () => {
  const { sends, answers } = connected();
  sends("HELLO", "3");
  sends("SUBSCRIBE", "x", "y");
  sends("LRANGE", "l", "0", "-1");
  const replies = [
    OK,
    push("subscribe", "x"),
    push("message", "x", "1"),
    push("subscribe", "y"),
    array("message", "z"),
  ];
  assert.deepEqual(answers(...replies), ["HELLO 3", "SUBSCRIBE x y", "", "", "LRANGE l 0 -1"]);
});

test("RESP2 publishes in arrays to a subscriber, and to nobody else", () => {
  const { sends, answers } = connected();
  sends("LRANGE", "l", "0", "-1");
  assert.deepEqual(answers(array("message", "x", "1")), ["LRANGE l 0 -1"]);
  sends("PSUBSCRIBE", "x*");
  sends("PING");
  const replies = [array("psubscribe", "x*"), array("pmessage", "x*", "x", "1"), array("pong", "")];
  assert.deepEqual(answers(...replies), ["PSUBSCRIBE x*", "", "PING"]);
});

test("a subscription that is refused is answered by its error", () => {
  const { sends, answers } = connected();
  sends("SUBSCRIBE", "x");
  sends("GET", "a");
  assert.deepEqual(answers({ kind: "error", value: "NOPERM" }, text("v")), ["SUBSCRIBE x", "GET a"]);
});

test("replies that are switched off are refused, since nobody could tell what the others answer", () => {
  const { sends } = connected();
  sends("CLIENT", "REPLY", "ON");
  for (const mode of ["OFF", "SKIP"]) {
    assert.throws(
      () => sends("CLIENT", "REPLY", mode),
      (thrown) => hasCode(thrown, "invalid"),
    );
  }
});
