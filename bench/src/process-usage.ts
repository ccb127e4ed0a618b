import { existsSync, readdirSync, readFileSync } from "node:fs";
import { AppError } from "parapet/errors";

/** What a process and all its descendants have used. */
export interface Usage {
  /** User and system time since their start, in microseconds. */
  readonly cpuMicros: number;
  /** Resident memory now. */
  readonly residentBytes: number;
}

/** A line of `/proc/<pid>/stat`. */
export interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  readonly cpuMicros: number;
}

// Linux counts in hundredths of a second for everybody who reads /proc, whatever its own clock does.
const MICROS_PER_TICK = 10_000;

/** Throws `invalid` where there is no `/proc` to read. */
export function assertProc(): void {
  if (!existsSync("/proc/self/stat")) throw new AppError("invalid", "this needs Linux: it reads /proc");
}

/** Reads the usage of a process tree from `/proc`. */
export function usageOf(pid: number): Usage {
  const tree = treeOf(pid, allProcesses());
  return {
    cpuMicros: tree.reduce((sum, { cpuMicros }) => sum + cpuMicros, 0),
    residentBytes: tree.reduce((sum, { pid }) => sum + parseResidentBytes(readProc(pid, "status")), 0),
  };
}

/** The process itself and its descendants, of all that there are. */
export function treeOf(pid: number, processes: readonly ProcessStat[]): ProcessStat[] {
  const children = processes.filter(({ parent }) => parent === pid);
  return [
    ...processes.filter((process) => process.pid === pid),
    ...children.flatMap((child) => treeOf(child.pid, processes)),
  ];
}

/** Undefined for what is no such line: the process is gone. */
export function parseStat(line: string): ProcessStat | undefined {
  // The second field is the command in parentheses, which may itself hold spaces and parentheses.
  const [pid] = line.split(" ", 1);
  const [, parent, ...rest] = line.slice(line.lastIndexOf(")") + 2).split(" ");
  const [user, system] = rest.slice(9);
  if (!pid || parent === undefined || user === undefined || system === undefined) return undefined;
  return { pid: Number(pid), parent: Number(parent), cpuMicros: (Number(user) + Number(system)) * MICROS_PER_TICK };
}

/** Reads `VmRSS` of `/proc/<pid>/status`; 0 for a process that is gone. */
export function parseResidentBytes(status: string): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

function allProcesses(): ProcessStat[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => parseStat(readProc(Number(name), "stat")))
    .filter((stat) => stat !== undefined);
}

function readProc(pid: number, file: "stat" | "status"): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    // It ended after it was listed.
    return "";
  }
}
