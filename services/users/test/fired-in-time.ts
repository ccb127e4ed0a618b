import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";

const FIRED_MS = 10_000;

/** Waits for the frame to kill at. A marker that is never seen would prove nothing. */
export async function firedInTime(fired: Promise<unknown>): Promise<void> {
  const late = delay(FIRED_MS, "late", { ref: false });
  assert.notEqual(await Promise.race([fired, late]), "late", "the frame to kill at was never seen");
}
