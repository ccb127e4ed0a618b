import assert from "node:assert/strict";
import test from "node:test";
import { KeyTurns } from "./key-turns.ts";

/** Work that ends when it is told to. */
function work(order: string[], name: string) {
  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const run = async (): Promise<string> => {
    order.push(name);
    await ended;
    return name;
  };
  return { run, end: () => end() };
}

test("work of one key goes in the order of its coming, work of another beside it", async () => {
  const order: string[] = [];
  const turns = new KeyTurns();
  const [one, two, other] = [work(order, "one"), work(order, "two"), work(order, "other")];
  const running = [turns.run("a", one.run), turns.run("a", two.run), turns.run("b", other.run)];
  assert.deepEqual(order, ["one", "other"]);
  one.end();
  await running[0];
  two.end();
  other.end();
  assert.deepEqual(await Promise.all(running), ["one", "two", "other"]);
  assert.deepEqual(order, ["one", "other", "two"]);
});

test("work that fails fails for itself alone", async () => {
  const turns = new KeyTurns();
  const failed = turns.run("a", () => Promise.reject(new Error("oops")));
  const next = turns.run("a", async () => "next");
  await assert.rejects(failed, /oops/);
  assert.equal(await next, "next");
});

test("an empty key is no key", async () => {
  const order: string[] = [];
  const turns = new KeyTurns();
  const [one, other] = [work(order, "one"), work(order, "other")];
  const running = [turns.run("", one.run), turns.run("", other.run)];
  assert.deepEqual(order, ["one", "other"]);
  one.end();
  other.end();
  await Promise.all(running);
});
