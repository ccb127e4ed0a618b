import http from "node:http";
import type { Context } from "../context/index.ts";
import { AppError } from "../errors/index.ts";

/** Asks the process that serves on this port whether it lives, for container health checks. Throws `unavailable`. */
export function checkLiveness(ctx: Context, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const unavailable = (cause: unknown): void => {
      reject(new AppError("unavailable", "the service does not answer on its port", { cause, fields: { port } }));
    };
    const request = http.get({ host: "127.0.0.1", port, path: "/livez", agent: false }, (response) => {
      response.resume();
      if (response.statusCode === 200) resolve();
      else unavailable(new Error(`status ${response.statusCode}`));
    });
    const off = ctx.onDone((reason) => request.destroy(reason));
    request.on("error", unavailable).on("close", off);
  });
}
