import type { CacheMode } from "./systems.ts";

/** What the load of a run is made from. */
export interface LoadData {
  /** Files with a user's id on each line: the thousand that are asked for often, and all. */
  readonly hotIdsFile: string;
  readonly allIdsFile: string;
  /** No other run has it. */
  readonly tag: string;
}

/** Requests of one kind, the same to every system. */
export interface Workload {
  readonly title: string;
  readonly path: string;
  readonly script?: (data: LoadData) => { readonly file: string; readonly args: readonly string[] };
  /** How the systems run; one that has no such mode sits it out. */
  readonly cacheModes: readonly CacheMode[];
  /** The least ratio of requests a second to the Go peer's that we claim. */
  readonly targetToGo: number;
}

/** What is measured, in this order: reads first, since creates make the table grow. */
export const WORKLOADS: readonly Workload[] = [
  {
    title: "get by id, cached",
    path: "/",
    script: ({ hotIdsFile }) => ({ file: "get-by-id.lua", args: [hotIdsFile] }),
    cacheModes: ["default", "no near cache"],
    targetToGo: 2.5,
  },
  {
    title: "get by id, no cache",
    path: "/",
    script: ({ allIdsFile }) => ({ file: "get-by-id.lua", args: [allIdsFile] }),
    cacheModes: ["no cache"],
    targetToGo: 3.5,
  },
  {
    title: "list of 20",
    path: "/api/v1/users?limit=20",
    cacheModes: ["default"],
    targetToGo: 1.2,
  },
  {
    title: "create with its outbox row",
    path: "/api/v1/users",
    script: ({ tag }) => ({ file: "create.lua", args: [tag] }),
    cacheModes: ["default"],
    targetToGo: 1.2,
  },
];
