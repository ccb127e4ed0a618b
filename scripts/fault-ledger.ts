import { FAULT_GROUPS, type FaultRow } from "./fault-rows.ts";

/** One finished test, as `json-reporter.js` writes it. */
export interface TestResult {
  readonly name: string;
  readonly file?: string;
  readonly passed: boolean;
  /** Set when it was skipped: the reason, when there is one. */
  readonly skip?: string | boolean;
}

type State = "passed" | "failed" | "skipped" | "not built";

const STATES: readonly State[] = ["passed", "failed", "skipped", "not built"];

/** The fault that a test's title claims to prove, or undefined when it claims none. */
export function faultId(title: string): string | undefined {
  return /^([A-Z]\d{1,2}): /.exec(title)?.[1];
}

/** Ids that tests claim and the matrix does not know. */
export function unknownFaults(results: readonly TestResult[]): string[] {
  const known = new Set(FAULT_GROUPS.flatMap(({ rows }) => rows.map(({ id }) => id)));
  const claimed = results.map(({ name }) => faultId(name)).filter((id) => id !== undefined);
  return [...new Set(claimed)].filter((id) => !known.has(id)).sort();
}

/** The page that says of each fault whether a test proves it. The same results give the same bytes. */
export function faultLedger(results: readonly TestResult[]): string {
  const groups = FAULT_GROUPS.map(({ title, rows }) => ({ title, rows: rows.map((row) => judge(row, results)) }));
  const all = groups.flatMap(({ rows }) => rows);
  const counts = STATES.map((state) => `${all.filter((row) => row.state === state).length} ${state}`);
  return [
    "# Faults",
    "",
    "What must hold when things break, and whether a test proves it. `npm test` writes this page; each row's tests carry",
    "its id at the start of their titles. A row is passed when they all are; of some rows they show one room's part alone, and",
    "the whole service's is still to be shown.",
    "",
    `${all.length} faults: ${counts.join(", ")}.`,
    ...groups.flatMap(({ title, rows }) => [
      "",
      `## ${title}`,
      "",
      ...table(["", "fault", "what must hold", "state"], rows.map(toCells)),
    ]),
    "",
  ].join("\n");
}

interface JudgedRow extends FaultRow {
  readonly state: State;
  readonly why: string;
}

function toCells({ id, fault, holds, state, why }: JudgedRow): string[] {
  return [id, fault, holds, `${state}${why}`];
}

function judge(row: FaultRow, results: readonly TestResult[]): JudgedRow {
  const proofs = results.filter(({ name }) => faultId(name) === row.id);
  const skipped = proofs.filter(({ skip }) => isSet(skip));
  if (proofs.some(({ passed }) => !passed)) return { ...row, state: "failed", why: "" };
  if (skipped.length > 0) return { ...row, state: "skipped", why: reasons(skipped) };
  return { ...row, state: proofs.length > 0 ? "passed" : "not built", why: "" };
}

function reasons(skipped: readonly TestResult[]): string {
  const texts = skipped.map(({ skip }) => skip).filter((skip) => typeof skip === "string" && skip !== "");
  return texts.length === 0 ? "" : `: ${[...new Set(texts)].sort().join("; ").replaceAll("|", "\\|")}`;
}

function isSet(skip: string | boolean | undefined): boolean {
  return skip !== undefined && skip !== false;
}

/** A table with its columns aligned, as the formatter wants it. */
function table(head: readonly string[], body: readonly (readonly string[])[]): string[] {
  const widths = head.map((_, column) => Math.max(3, ...[head, ...body].map((cells) => cells[column]?.length ?? 0)));
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const padded = (cells: readonly string[]) => line(cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)));
  return [padded(head), line(widths.map((width) => "-".repeat(width))), ...body.map(padded)];
}
