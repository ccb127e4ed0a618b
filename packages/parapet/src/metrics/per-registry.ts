import type { Registry } from "./registry.ts";

/** Makes something once a registry, so that all who count there share it: the instruments of a room. */
export function perRegistry<T extends object>(make: (registry: Registry) => T): (registry: Registry) => T {
  const made = new WeakMap<Registry, T>();
  return (registry) => {
    let instruments = made.get(registry);
    if (instruments === undefined) {
      instruments = make(registry);
      made.set(registry, instruments);
    }
    return instruments;
  };
}
