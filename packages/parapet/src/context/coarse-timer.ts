import { Listeners } from "./listeners.ts";

/** Waits of this length and more may share timers. */
export const COARSE_FROM_MS = 1000;
/** How late a shared timer may be. */
const STEP_MS = 20;

interface Step {
  readonly timer: NodeJS.Timeout;
  readonly callbacks: Listeners<void>;
}

const steps = new Map<number, Step>();

/**
 * Calls back at `at`, in milliseconds on `performance.now()`'s clock, or up to 20 ms later: all that is due in the same step
 * shares one of Node's timers. Every request has a deadline and hardly any reaches it, so arming one has to be cheap.
 */
export function callAtOrSoonAfter(at: number, callback: () => void): () => void {
  const number = Math.ceil(at / STEP_MS);
  const step = steps.get(number) ?? openStep(number);
  const remove = step.callbacks.add(callback);
  return () => {
    if (!remove() || !step.callbacks.isEmpty) return;
    clearTimeout(step.timer);
    steps.delete(number);
  };
}

function openStep(number: number): Step {
  const callbacks = new Listeners<void>();
  const fire = (): void => {
    steps.delete(number);
    // What one of them takes back, the others being called, is not called.
    callbacks.callEach((callback) => callback());
  };
  const step = { callbacks, timer: setTimeout(fire, Math.ceil(number * STEP_MS - performance.now())) };
  steps.set(number, step);
  return step;
}
