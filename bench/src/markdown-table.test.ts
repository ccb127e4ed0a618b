import assert from "node:assert/strict";
import test from "node:test";
import { markdownTable } from "./markdown-table.ts";

test("columns are as wide as their widest cell, names to the left and figures to the right", () => {
  assert.deepEqual(
    markdownTable(
      ["who", "many"],
      [
        ["a", "1"],
        ["bcde", "23456"],
      ],
    ),
    ["| who  |  many |", "| ---- | ----: |", "| a    |     1 |", "| bcde | 23456 |"],
  );
});

test("a table without rows has its head, and a short row has empty cells", () => {
  assert.deepEqual(markdownTable(["who"], []), ["| who |", "| --- |"]);
  assert.deepEqual(markdownTable(["who", "n"], [["a"]]).at(-1), "| a   |     |");
});
