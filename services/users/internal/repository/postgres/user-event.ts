import { toDateTime } from "parapet/contract";
import type { OutboxEvent } from "parapet/outbox";
import { userCreated, userDeleted, userUpdated } from "../../../pkg/client/index.ts";
import type { UserFact } from "../../model/user-store.ts";

const EVENTS = { user_created: userCreated, user_updated: userUpdated, user_deleted: userDeleted } as const;

/** A fact as the event that the world reads. */
export function toUserEvent({ kind, user }: UserFact): OutboxEvent {
  const data = { ...user, createdAt: toDateTime(user.createdAt), updatedAt: toDateTime(user.updatedAt) };
  return { event: EVENTS[kind], key: user.id, data };
}
