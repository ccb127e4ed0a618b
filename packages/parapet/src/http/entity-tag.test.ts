import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { namesVersion, toEntityTag, toExpectedVersions } from "./entity-tag.ts";

test("the tag of a version is a strong one", () => {
  assert.equal(toEntityTag(7), '"7"');
});

test("without If-Match, and with a star, every version will do", () => {
  assert.equal(toExpectedVersions(undefined), undefined);
  assert.equal(toExpectedVersions("*"), undefined);
  assert.equal(toExpectedVersions(" * "), undefined);
});

test("If-Match names versions; weak tags and those of others match none", () => {
  assert.deepEqual(toExpectedVersions('"7"'), [7]);
  assert.deepEqual(toExpectedVersions('"7", "8" ,"9"'), [7, 8, 9]);
  for (const header of ['W/"7"', '"x"', '"07"', '"-7"', '"7.0"', '""', '"12345678901234567"', '"7 "']) {
    assert.equal(
      header === '"7 "' ? "refused" : toExpectedVersions(header)?.length,
      header === '"7 "' ? "refused" : 0,
      header,
    );
  }
});

test("If-None-Match compares weakly", () => {
  for (const header of ['"7"', 'W/"7"', '"6", W/"7"', "*"]) assert.equal(namesVersion(header, 7), true, header);
  for (const header of ['"6"', 'W/"77"', '"6", "8"', '""']) assert.equal(namesVersion(header, 7), false, header);
});

test("what is no list of tags is refused", () => {
  for (const header of ["", "7", '"7', "W/7", 'w/"7"', '"7" "8"', '"7",', '*, "7"', '"7 "', "'7'"]) {
    assert.throws(() => toExpectedVersions(header), { code: "invalid" }, header);
    assert.throws(() => namesVersion(header, 7), { code: "invalid" }, header);
  }
});

test("a list of any length is read in no time", () => {
  const long = Array.from({ length: 2000 }, () => '"7"').join(",");
  const started = performance.now();
  assert.equal(toExpectedVersions(long)?.length, 2000);
  assert.throws(() => toExpectedVersions(`${long}!`));
  assert.throws(() => toExpectedVersions(`"${",".repeat(8000)}`));
  assert.throws(() => toExpectedVersions(`"7"${" ".repeat(8000)}!`));
  assert.ok(performance.now() - started < 200, `${performance.now() - started} ms`);
});

test("every version is recognized by its own tag, and by no other's", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), (version, other) => {
      assert.deepEqual(toExpectedVersions(toEntityTag(version)), [version]);
      assert.equal(namesVersion(toEntityTag(version), other), version === other);
    }),
  );
});
