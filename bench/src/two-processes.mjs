/**
 * `node two-processes.mjs server.mjs`: runs a server in two processes that share its port, as a pod or a unit for each core
 * would share an address. Connections go to them in turn. A signal is passed on; it ends when both have.
 */
import cluster from "node:cluster";
import process from "node:process";

cluster.setupPrimary({ exec: process.argv[2] ?? "", args: [] });
const workers = [cluster.fork(), cluster.fork()];
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    for (const worker of workers) worker.process.kill(signal);
  });
}
