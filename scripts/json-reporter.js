/**
 * A reporter for `node --test` that writes each finished test as one JSON line: what the runner counts and the fault
 * ledger is made of. Plain JavaScript, because Node loads reporters before any `--import`.
 */
export default async function* jsonReporter(events) {
  for await (const { type, data } of events) {
    if ((type !== "test:pass" && type !== "test:fail") || data.details?.type === "suite") continue;
    const { name, file, skip, todo } = data;
    yield `${JSON.stringify({ name, file, passed: type === "test:pass", skip: skip ?? todo })}\n`;
  }
}
