import { markdownTable } from "../markdown-table.ts";
import { median } from "../result.ts";

/** The figures of one round of one system. */
export interface MessagingRound {
  readonly title: string;
  readonly perSecond: number;
  /** How long a message is under way at a steady rate. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time a message, in microseconds. */
  readonly publisherCpuMicros: number;
  readonly consumerCpuMicros: number;
}

export interface MessagingReport {
  /** What one has to know to judge the figures, a line each. */
  readonly conditions: readonly string[];
  /** Of all systems; the first system is what the others are compared to. */
  readonly rounds: readonly MessagingRound[];
}

const HEAD = [
  "system",
  "messages/s",
  "lowest–highest",
  "p50 ms",
  "p99 ms",
  "CPU µs out",
  "CPU µs in",
  "x ceiling",
] as const;

/** The figures as a page of Markdown that can be read as it is. */
export function formatMessagingReport({ conditions, rounds }: MessagingReport): string {
  const titles = [...new Set(rounds.map(({ title }) => title))];
  const systems = titles.map((title) => rounds.filter((round) => round.title === title));
  const ceiling = Math.max(...systems.map((of) => median(of.map(({ perSecond }) => perSecond))));
  return [
    "# Messaging",
    "",
    "A message of Parapet's is a row and an outbox row in one transaction, relayed, and an effect and an inbox row in another; it is",
    "under way from the commit on. Beside it amqplib alone, with confirms and acknowledgements on the same kind of queue and no",
    "database at all: the ceiling. Its messages are under way from the publish on. CPU is what a message costs each process.",
    "",
    ...conditions.map((condition) => `- ${condition}`),
    "",
    ...markdownTable(
      HEAD,
      systems.map((of) => toRow(of, ceiling)),
    ),
    "",
  ].join("\n");
}

function toRow(rounds: readonly MessagingRound[], ceiling: number): string[] {
  const of = (figure: (round: MessagingRound) => number) => median(rounds.map(figure));
  const perSecond = rounds.map((round) => round.perSecond);
  return [
    rounds[0]?.title ?? "",
    toThousands(median(perSecond)),
    `${toThousands(Math.min(...perSecond))}–${toThousands(Math.max(...perSecond))}`,
    of(({ p50Ms }) => p50Ms).toFixed(1),
    of(({ p99Ms }) => p99Ms).toFixed(1),
    of(({ publisherCpuMicros }) => publisherCpuMicros).toFixed(0),
    of(({ consumerCpuMicros }) => consumerCpuMicros).toFixed(0),
    (median(perSecond) / ceiling).toFixed(2),
  ];
}

function toThousands(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
