import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { Listeners } from "./listeners.ts";

test("there is nobody to call before somebody came and after all have left", () => {
  const listeners = new Listeners<string>();
  assert.equal(listeners.isEmpty, true);
  listeners.callEach(() => assert.fail("nobody is in"));
  const remove = listeners.add(() => {});
  assert.equal(listeners.isEmpty, false);
  assert.equal(remove(), true);
  assert.equal(remove(), false);
  assert.equal(listeners.isEmpty, true);
});

test("one that is added twice is in twice, and leaves twice", () => {
  const listeners = new Listeners<string>();
  let calls = 0;
  const count = (): void => void calls++;
  const [first] = [listeners.add(count), listeners.add(count)];
  listeners.callEach((listener) => listener(""));
  assert.equal(calls, 2);
  first();
  listeners.callEach((listener) => listener(""));
  assert.equal(calls, 3);
});

test("whoever comes and leaves, those who are in are called in the order in which they came", () => {
  // A number adds a listener, or takes off the one that came so many before the last.
  const steps = fc.array(fc.oneof(fc.constant("add" as const), fc.nat({ max: 9 })), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (steps) => {
      const listeners = new Listeners<string>();
      const model = new Map<number, () => boolean>();
      const calls: number[] = [];
      let added = 0;
      for (const step of steps) {
        if (step === "add") {
          const number = added++;
          model.set(
            number,
            listeners.add(() => calls.push(number)),
          );
        } else {
          const number = added - 1 - step;
          const remove = model.get(number);
          model.delete(number);
          if (remove !== undefined) assert.equal(remove(), true);
        }
      }
      listeners.callEach((listener) => listener(""));
      assert.deepEqual(calls, [...model.keys()]);
      assert.equal(listeners.isEmpty, model.size === 0);
    }),
  );
});

test("one that is taken off by another's call is not called", () => {
  const listeners = new Listeners<string>();
  const calls: string[] = [];
  const removals: (() => boolean)[] = [];
  for (const name of ["a", "b", "c", "d"]) {
    const index = removals.length;
    removals.push(
      listeners.add(() => {
        calls.push(name);
        // Itself, and the next.
        removals[index]?.();
        removals[index + 1]?.();
      }),
    );
  }
  listeners.callEach((listener) => listener(""));
  assert.deepEqual(calls, ["a", "c"]);
  assert.equal(listeners.isEmpty, true);
});
