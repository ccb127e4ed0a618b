type Wake = (count: number) => void;

const relays = new Set<Wake>();

/** Has `wake` called whenever a transaction of this process has left events, with how many; returns how to end that. */
export function onAppended(wake: Wake): () => void {
  relays.add(wake);
  return () => relays.delete(wake);
}

/** Wakes the relays of this process. One that has another database looks in vain, which is cheaper than to tell them apart. */
export function nudgeRelays(count: number): void {
  for (const wake of relays) wake(count);
}
