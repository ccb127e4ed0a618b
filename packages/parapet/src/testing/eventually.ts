import { setTimeout as pause } from "node:timers/promises";
import { AppError } from "../errors/index.ts";

/** Looks every few milliseconds until something is true; throws `timeout` when it is not within `withinMs` (5 s by default). */
export async function eventually(look: () => boolean | Promise<boolean>, withinMs = 5000): Promise<void> {
  const giveUpAt = performance.now() + withinMs;
  while (!(await look())) {
    if (performance.now() >= giveUpAt) throw new AppError("timeout", "it did not come true in time");
    await pause(5);
  }
}
