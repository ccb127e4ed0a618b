import { startProcess } from "./service-process.ts";

/** A test process that is in the middle of a test: it tells which process it has started, and waits. */
const started = startProcess({ after: () => {} }, [process.execPath, "-e", "setInterval(() => {}, 1000)"]);
console.log(started.pid);
