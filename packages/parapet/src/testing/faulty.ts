import { CancelableContext, orDone } from "../context/index.ts";
import { AppError } from "../errors/index.ts";

/** The names of a port's asynchronous methods: the ones that can fail and stall. */
export type MethodOf<Port> = {
  [Name in keyof Port]-?: Port[Name] extends (...args: never[]) => Promise<unknown> ? Name : never;
}[keyof Port];

type ArgumentsOf<Method> = Method extends (...args: infer Arguments) => unknown ? Arguments : never;

/** What a test can do to a port. Faults of one method are used up in the order they were asked for. */
export interface Faults<Port> {
  /** The next call of the method does nothing and rejects with the error. */
  failNext(method: MethodOf<Port>, error: Error): void;
  /**
   * The next call of the method does nothing until its context, its first argument, is done, and rejects with why.
   * Resolves as soon as that call has come.
   */
  stallNext(method: MethodOf<Port>): Promise<void>;
  /** The arguments of the method's calls so far, oldest first, those that met a fault included. */
  callsOf<Name extends MethodOf<Port>>(method: Name): readonly ArgumentsOf<Port[Name]>[];
}

type Fault = (args: readonly unknown[]) => Promise<never>;

/** Stands in front of a port, passes every call on, and fails or stalls the calls that a test names. */
export function faulty<Port extends object>(port: Port): Port & Faults<Port> {
  const calls = new Multimap<PropertyKey, unknown[]>();
  const pending = new Multimap<PropertyKey, Fault>();

  const faults = {
    failNext: (method: PropertyKey, error: Error) => pending.of(method).push(() => Promise.reject(error)),
    stallNext: (method: PropertyKey) =>
      new Promise<void>((resolve) => {
        pending.of(method).push((args) => {
          resolve();
          return untilDone(args[0]);
        });
      }),
    callsOf: (method: PropertyKey) => calls.of(method),
  };

  // The proxy's target inherits from the port instead of being it, so that a frozen port can be faulty too.
  return new Proxy(Object.assign(Object.create(port), faults), {
    get(target, name) {
      if (Object.hasOwn(faults, name)) return Reflect.get(target, name);
      const value: unknown = Reflect.get(port, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        calls.of(name).push(args);
        const fault = pending.of(name).shift();
        // Applied to the port itself: a class with private fields would not know a proxy.
        return fault === undefined ? Reflect.apply(value, port, args) : fault(args);
      };
    },
  });
}

async function untilDone(ctx: unknown): Promise<never> {
  if (ctx instanceof CancelableContext) return orDone(ctx, new Promise<never>(() => {}));
  throw new AppError("internal", "a method can stall only if it takes a context first");
}

class Multimap<Key, Value> {
  readonly #lists = new Map<Key, Value[]>();

  of(key: Key): Value[] {
    const list = this.#lists.get(key) ?? [];
    this.#lists.set(key, list);
    return list;
  }
}
