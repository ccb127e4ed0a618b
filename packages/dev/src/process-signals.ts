import { hasErrno } from "./errno.ts";

/** Tells whether a process with this id exists, also one of another user. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return hasErrno(thrown, "EPERM");
  }
}

/** Signals a process, or with a negative id a group; one that is gone already is fine. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (thrown) {
    if (!hasErrno(thrown, "ESRCH")) throw thrown;
  }
}
