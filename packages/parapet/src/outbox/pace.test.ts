import assert from "node:assert/strict";
import test from "node:test";
import { Pace } from "./pace.ts";

/** A pace in a process that is as busy as the test says, looked at every 5 ms by somebody who takes all there is. */
function bench() {
  let [now, utilization] = [0, 0];
  const pace = new Pace({ now: () => now, utilization: () => utilization });
  const spend = (ms: number, { busy = 0, left = 0, take = Number.POSITIVE_INFINITY } = {}) => {
    utilization = busy;
    let taken = 0;
    for (const end = now + ms; now < end; ) {
      now += 5;
      pace.left((left * 5) / 1000);
      const count = Math.min(take, pace.room);
      pace.took(count);
      taken += count;
    }
    return (taken * 1000) / ms;
  };
  return { pace, spend };
}

test("a relay goes faster while the loop has time, up to a bound", () => {
  const { spend } = bench();
  const [first, second] = [spend(500), spend(500)];
  assert.ok(first > 1000 && second > 2 * first, `${first}, then ${second} a second`);
  spend(5000);
  const most = spend(1000);
  assert.ok(most > 19_000 && most <= 20_000, `${most} a second`);
});

test("a relay goes slower at once when the loop has no time, and never stops", () => {
  const { spend } = bench();
  spend(5000);
  spend(700, { busy: 0.9 });
  const least = spend(1000, { busy: 0.9 });
  assert.ok(least >= 490 && least <= 510, `${least} a second`);
});

test("a relay goes twice as fast as its process leaves events, however busy the process is", () => {
  const { spend } = bench();
  spend(1000, { busy: 1, left: 3000 });
  const pace = spend(1000, { busy: 1, left: 3000 });
  assert.ok(pace > 5900 && pace <= 6000, `${pace} a second`);
});

test("a pace that was not needed is forgotten, so that a flood does not meet the fastest", () => {
  const { spend } = bench();
  spend(5000);
  spend(500, { take: 1 });
  const pace = spend(50);
  assert.ok(pace < 1500, `${pace} a second`);
});

test("after a pause there is room for what a moment brings, and for no more", () => {
  const { pace, spend } = bench();
  spend(60_000, { take: 0 });
  assert.equal(pace.room, 20);
});
