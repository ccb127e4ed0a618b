import type { Static, TSchema } from "typebox";
import { AppError } from "../errors/index.ts";

/** A kind of event that a service publishes: its name with a version, and the shape of its data. */
export interface EventContract<S extends TSchema = TSchema> {
  readonly type: string;
  readonly schema: S;
}

/** The data of an event. */
export type EventData<E extends EventContract> = Static<E["schema"]>;

const TYPE = /^[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*){2,}\.v[1-9]\d*$/;

/**
 * Declares an event: `event("users.user.created.v1", User)`, the service, the noun, what happened to it, and the version of
 * the schema, in which no change breaks who reads it. Throws `internal` when the name is none.
 */
export function event<const S extends TSchema>(type: string, schema: S): EventContract<S> {
  if (!TYPE.test(type)) {
    throw new AppError("internal", "an event is named like users.user.created.v1", { fields: { type } });
  }
  return { type, schema };
}
