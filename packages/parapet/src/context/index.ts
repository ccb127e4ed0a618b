export { CancelableContext, type Context, rootContext, type Unsubscribe, withCancel, withTimeout } from "./context.ts";
export { type GroupOptions, group } from "./group.ts";
export { orDone, sleep } from "./wait.ts";
