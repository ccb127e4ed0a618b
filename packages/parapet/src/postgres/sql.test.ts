import assert from "node:assert/strict";
import test from "node:test";
import { hasCode } from "../errors/index.ts";
import { type RowOf, row } from "./row.ts";
import { type SqlValue, sql, statementSites } from "./sql.ts";

const User = row({ id: "uuid", nickname: "text?" });

const find = (id: string, limit: number) => sql(User)`select id, nickname from users where id = ${id} limit ${limit}`;

test("values become parameters and never a part of the text", () => {
  const { site, values } = sql`delete from users where name = ${"'; drop table users; --"} and size > ${3}`;
  assert.equal(site.text, "delete from users where name = $1 and size > $2");
  assert.deepEqual(values, ["'; drop table users; --", 3]);
});

test("a statement without values has its text as it stands", () => {
  assert.equal(sql`select 'a\\b'`.site.text, "select 'a\\b'");
});

test("one place in the source is one site with one name, whatever its values", () => {
  assert.equal(find("a", 1).site, find("b", 2).site);
  assert.match(find("a", 1).site.name, /^p_[\w-]{16}$/);
});

test("the same text elsewhere is another site under the same name", () => {
  const first = sql`select 1 as one`;
  const second = sql`select 1 as one`;
  assert.notEqual(first.site, second.site);
  assert.equal(first.site.name, second.site.name);
});

test("every site that was used is listed once, with the row that it declares", () => {
  find("a", 1);
  find("b", 2);
  const sites = statementSites().filter(({ text }) => text.startsWith("select id, nickname"));
  assert.deepEqual(
    sites.map(({ row }) => row),
    [User],
  );
});

test("a row declares at least one column", () => {
  assert.throws(
    () => row({}),
    (error) => hasCode(error, "internal"),
  );
});

test("types that the compiler refuses", () => {
  const user: RowOf<typeof User> = { id: "u", nickname: null };
  // @ts-expect-error a column that may be null is not a string
  const nickname: string = user.nickname;
  // @ts-expect-error undefined is no parameter: say null
  const value: SqlValue = undefined;
  // @ts-expect-error there is no such type
  row({ id: "serial" });
  assert.deepEqual([nickname, value], [null, undefined]);
});
