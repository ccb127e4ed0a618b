import type { Context } from "../context/index.ts";
import type { Component } from "../lifecycle/index.ts";
import type { Message, ReceivedMessage } from "./message.ts";

/** What carries messages from those who publish them to those who subscribed. It delivers at least once. */
export interface Broker extends Component {
  /**
   * Publishes a message, and returns when each queue that takes its type has it for good. Throws `not_found` when no queue
   * does; `unavailable` when the broker can't be reached, refuses it, or has not confirmed it within five seconds, which it may
   * do yet; and the context's reason when that ends first.
   */
  publish(ctx: Context, message: Message): Promise<void>;
  /** Why it would take no message now, for people; undefined while it would. What is published nevertheless waits, or fails. */
  notPublishingBecause(): string | undefined;
  /**
   * Takes the messages of some types for a group from now on, also through outages, until it is stopped. The processes of a group
   * share its messages; each message goes to each group.
   */
  subscribe(options: SubscriptionOptions): Subscription;
}

export interface SubscriptionOptions {
  /** Who subscribes, in snake case: the name of a queue that outlives the process. */
  readonly group: string;
  /** What it takes, as contracts name it. */
  readonly types: readonly string[];
  /** How many messages may be under way in this process. */
  readonly prefetch: number;
  /**
   * Keeps the order of the queue from one process of the group to the next: one takes messages, and the others stand by until it
   * has ended what it had. Nothing comes again after a pause, since others would overtake it: a retry is parked. All of a group
   * ask for the same; false by default.
   */
  readonly ordered?: boolean;
  /** Handles one delivery, and says what is to become of it. What it throws makes it a retry. */
  readonly handle: (delivery: Delivery) => Promise<Verdict>;
}

/** A message that is to be handled now. */
export interface Delivery {
  readonly message: ReceivedMessage;
  /** How often handling it has failed before. */
  readonly failures: number;
  /** It may have been delivered before, to somebody who is gone. */
  readonly isRedelivered: boolean;
}

/** What is to become of a delivery. An error is its code and message, without what the message says. */
export type Verdict =
  /** It took effect. */
  | { readonly kind: "done" }
  /** It is delivered again after a pause, longer each time; after the last one it is parked. Without pauses where order is kept. */
  | { readonly kind: "retry"; readonly error: string }
  /** It is put aside for people to look at. It failed once more than its delivery says, unless told how often. */
  | { readonly kind: "park"; readonly error: string; readonly failures?: number }
  /** It goes back as it is. Only for a subscription that is draining: it would come straight back. */
  | { readonly kind: "release" };

/** What a group takes in this process. */
export interface Subscription {
  /** Why nothing arrives now, for people; undefined while messages would. */
  notTakingBecause(): string | undefined;
  /** Takes nothing more, and returns when what is under way has its verdict and the broker knows, within the context. */
  drain(ctx: Context): Promise<void>;
  /** Lets go: what has no verdict yet is delivered again, here or elsewhere. Gives how many these were. */
  stop(ctx: Context): Promise<number>;
}

/** The pauses before a message that failed is delivered again, in milliseconds. (`docs/decisions`: the retry ladder.) */
export const RETRY_PAUSES_MS: readonly number[] = [1000, 5000, 30_000, 120_000, 600_000];
