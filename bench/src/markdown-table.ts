/** A Markdown table in aligned columns, the first one to the left and all others to the right. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((_, i) => Math.max(3, ...[head, ...rows].map((row) => row[i]?.length ?? 0)));
  const rule = widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [head, rule, ...rows].map((row) => toLine(row, widths));
}

function toLine(row: readonly string[], widths: readonly number[]): string {
  const [first = 0, ...others] = widths;
  const [name = "", ...figures] = row;
  return `| ${[name.padEnd(first), ...others.map((width, i) => (figures[i] ?? "").padStart(width))].join(" | ")} |`;
}
