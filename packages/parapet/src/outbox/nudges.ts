const relays = new Set<() => void>();

/** Has `wake` called whenever a transaction of this process has left an event; returns how to end that. */
export function onAppended(wake: () => void): () => void {
  relays.add(wake);
  return () => relays.delete(wake);
}

/** Wakes the relays of this process. One that has another database looks in vain, which is cheaper than to tell them apart. */
export function nudgeRelays(): void {
  for (const wake of relays) wake();
}
