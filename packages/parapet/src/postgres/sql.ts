import { createHash } from "node:crypto";
import type { RowShape } from "./row.ts";

/** What can be a parameter. JSON goes in as text (`JSON.stringify`), and there is no `undefined`: say `null`. */
export type SqlValue = string | number | bigint | boolean | Date | Uint8Array | null | readonly SqlValue[];

/** One place in the source that says `sql`: its text never changes, so it is hashed, prepared and described once. */
export interface StatementSite {
  readonly text: string;
  /** The name it is prepared under; the same text has the same name in every process. */
  readonly name: string;
  /** The template as it stands in the source, cut at its parameters. */
  readonly source: readonly string[];
  readonly row: RowShape | undefined;
}

/** A statement with its parameters; it runs by `execute`. */
export interface Statement {
  readonly site: StatementSite;
  readonly values: readonly SqlValue[];
}

/** A statement that gives rows; it runs by `query`. */
export interface RowStatement<Row> extends Statement {
  readonly row: RowShape<Row>;
}

const sites = new Map<TemplateStringsArray, StatementSite>();

/**
 * Makes a statement from a template; every `${value}` becomes a parameter, never a part of the text.
 * ``sql(UserRow)`select id, name from users where id = ${id}` `` gives rows, ``sql`delete from users where id = ${id}` ``
 * gives none.
 */
export function sql(strings: TemplateStringsArray, ...values: readonly SqlValue[]): Statement;
export function sql<Row>(
  row: RowShape<Row>,
): (strings: TemplateStringsArray, ...values: readonly SqlValue[]) => RowStatement<Row>;
export function sql<Row>(first: TemplateStringsArray | RowShape<Row>, ...values: readonly SqlValue[]) {
  if ("raw" in first) return { site: siteOf(first, undefined), values };
  return (strings: TemplateStringsArray, ...values: readonly SqlValue[]): RowStatement<Row> => ({
    site: siteOf(strings, first),
    values,
    row: first,
  });
}

/** Every place in the source whose statement was made in this process so far; as many as the source has, no more. */
export function statementSites(): readonly StatementSite[] {
  return [...sites.values()];
}

function siteOf(strings: TemplateStringsArray, row: RowShape | undefined): StatementSite {
  // The language keeps one array for each place in the source, so this map is bounded by the source.
  const known = sites.get(strings);
  if (known !== undefined) return known;
  const text = strings.reduce((before, chunk, index) => `${before}$${index}${chunk}`);
  const name = `p_${createHash("sha256").update(text).digest("base64url").slice(0, 16)}`;
  const site: StatementSite = { text, name, source: [...strings.raw], row };
  sites.set(strings, site);
  return site;
}
