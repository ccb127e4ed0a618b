import type { Addresses, System } from "./systems.ts";
import type { Workload } from "./workloads.ts";

/** A system as it takes part in a workload. */
export interface Contender {
  readonly system: System["name"];
  /** Of one system's contenders, the one that its claim is about. */
  readonly isMain: boolean;
  /** Such as `Parapet` and `Parapet, no near cache`. */
  readonly title: string;
  readonly command: readonly [string, ...string[]];
  readonly readyPath: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Who takes part in a workload: each system in each of the workload's modes that it has. */
export function toContenders(
  { cacheModes }: Pick<Workload, "cacheModes">,
  systems: readonly System[],
  addresses: Addresses,
): Contender[] {
  return systems.flatMap(({ name, command, readyPath, env }) =>
    cacheModes.flatMap((mode, i) => {
      const contenderEnv = env[mode]?.(addresses);
      if (contenderEnv === undefined) return [];
      const isMain = i === 0;
      return [
        { system: name, isMain, title: isMain ? name : `${name}, ${mode}`, command, readyPath, env: contenderEnv },
      ];
    }),
  );
}
