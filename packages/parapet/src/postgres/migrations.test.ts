import assert from "node:assert/strict";
import test from "node:test";
import { hasCode } from "../errors/index.ts";
import { defineMigrations } from "./migrations.ts";
import { schemaProblem, schemaState } from "./schema-state.ts";

const history = defineMigrations([
  { id: "0001_users", sql: "create table users ()" },
  { id: "0002_orders", sql: "create table orders ()" },
  { id: "0003_index", sql: "-- no-transaction\ncreate index concurrently i on users (id)" },
]);

test("only a file whose first line says so runs outside of a transaction", () => {
  assert.deepEqual(
    history.map(({ transactional }) => transactional),
    [true, true, false],
  );
  const [later] = defineMigrations([{ id: "0001_a", sql: "select 1;\n-- no-transaction" }]);
  assert.equal(later?.transactional, true);
});

test("a checksum does not change with line endings or a byte-order mark, and does with anything else", () => {
  const checksumOf = (sql: string) => defineMigrations([{ id: "0001_a", sql }])[0]?.checksum;
  const checksum = checksumOf("create table a ();\nselect 1;\n");
  assert.equal(checksumOf("create table a ();\r\nselect 1;\r\n"), checksum);
  assert.equal(checksumOf("\uFEFFcreate table a ();\nselect 1;\n"), checksum);
  assert.notEqual(checksumOf("create table a ();\nselect 1; \n"), checksum);
});

test("ids that are not like 0001_users, or out of order, are mistakes of ours", () => {
  for (const ids of [["users"], ["1_users"], ["0001-users"], ["0001_a", "0001_b"], ["0002_a", "0001_b"]]) {
    assert.throws(
      () => defineMigrations(ids.map((id) => ({ id, sql: "" }))),
      (error) => hasCode(error, "internal"),
    );
  }
});

test("a schema is current, behind, ahead, edited or misplaced, and only the first is no problem", () => {
  const [users, orders, index] = history;
  assert.ok(users && orders && index);
  const unknown = { id: "0004_more", checksum: "x" };
  const edited = { id: "0001_users", checksum: "x" };
  assert.deepEqual(schemaState(history, history), { kind: "current" });
  assert.deepEqual(schemaState([], []), { kind: "current" });
  assert.deepEqual(schemaState(history, []), { kind: "behind", pending: history });
  assert.deepEqual(schemaState(history, [users]), { kind: "behind", pending: [orders, index] });
  assert.deepEqual(schemaState(history, [...history, unknown]), { kind: "ahead", ids: ["0004_more"] });
  assert.deepEqual(schemaState(history, [edited, orders]), { kind: "edited", ids: ["0001_users"] });
  assert.deepEqual(schemaState(history, [users, index]), { kind: "misplaced", ids: ["0002_orders"] });
  assert.equal(schemaProblem({ kind: "current" }), undefined);
  assert.match(schemaProblem({ kind: "edited", ids: ["0001_users"] }) ?? "", /edited.*0001_users/);
});
