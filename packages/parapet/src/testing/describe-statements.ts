import { AppError } from "../errors/index.ts";
import { type Columns, type StatementSite, statementSites } from "../postgres/index.ts";
import { type SqlTemplate, sqlTemplates } from "./sql-templates.ts";
import { type DescribedColumn, type Describer, openDescriber } from "./statement-description.ts";

const OUTER_JOIN = /\b(left|right|full)\s+(outer\s+)?join\b/i;

/**
 * Has the server of a migrated database describe every `sql` template under a folder, and says in a line each where a
 * row lies about a column, what the server refuses, and what never ran in this process, so that its row is not known: call
 * it after the suite that runs them all. Empty when every row tells the truth. What it can't know and believes: nulls of
 * expressions and views, and on the far side of an outer join.
 */
export async function describeStatements(url: string, folder: URL): Promise<string[]> {
  const templates = sqlTemplates(folder);
  if (templates.length === 0) throw new AppError("invalid", "there is no sql template under this folder");
  const describer = await openDescriber(url);
  try {
    const breaches: string[] = [];
    for (const template of templates) {
      const twins = templates.filter((other) => isSame(other, template)).length;
      breaches.push(...(await breachesOf(describer, template, twins)));
    }
    return breaches;
  } finally {
    await describer.close();
  }
}

async function breachesOf(describer: Describer, template: SqlTemplate, twins: number): Promise<string[]> {
  const { place } = template;
  const sites = statementSites().filter((site) => isSame(site, template));
  if (sites.length === 0) return [`${place}: never ran`];
  const breaches = new Set<string>();
  if (sites.length < twins) breaches.add(`${place}: it or another of the same text never ran`);
  for (const site of sites) {
    for (const lie of await liesOf(describer, site)) breaches.add(`${place}: ${lie}`);
  }
  return [...breaches];
}

interface Template {
  readonly source: readonly string[];
}

function isSame(one: Template, other: Template): boolean {
  return one.source.join("\0") === other.source.join("\0");
}

async function liesOf(describer: Describer, { text, row }: StatementSite): Promise<string[]> {
  const description = await describer.describe(text);
  if ("refusedBecause" in description) return [`the server refuses it: ${description.refusedBecause}`];
  return row === undefined ? [] : compare(row.columns, description.columns, OUTER_JOIN.test(text));
}

function compare(declared: Columns, described: readonly DescribedColumn[], outerJoin: boolean): string[] {
  const names = described.map(({ name }) => name);
  const missing = Object.keys(declared).filter((name) => !names.includes(name));
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  return [
    ...missing.map((name) => `column ${name} is declared but not selected`),
    ...twice.map((name) => `column ${name} is selected twice`),
    ...described.flatMap((column) => compareColumn(declared[column.name], column, outerJoin)),
  ];
}

function compareColumn(declared: string | undefined, column: DescribedColumn, outerJoin: boolean): string[] {
  const { name, type, nullable } = column;
  if (declared === undefined) return [`column ${name} is selected but not declared`];
  const declaredNullable = declared.endsWith("?");
  const declaredType = declaredNullable ? declared.slice(0, -1) : declared;
  const lies: string[] = [];
  if (declaredType !== type) lies.push(`column ${name} is ${type}, declared ${declaredType}`);
  if (nullable === true && !declaredNullable) lies.push(`column ${name} may be null, declared never null`);
  // The far side of an outer join is null where there is no row, whatever its table says.
  if (nullable === false && declaredNullable && !outerJoin)
    lies.push(`column ${name} is never null, declared may be null`);
  return lies;
}
