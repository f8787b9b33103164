/** What a client tells of its locks, for logs and metrics. The names are those of `gorilla lock --json`. */

import type { Busy, LossReason } from "./errors.js";

export type LockNews =
  /** Another client has the lock, and this request waits. */
  | ({ readonly event: "waiting" } & Busy)
  /** A request got no answer, or one after which it is sent again. */
  | { readonly event: "trouble"; readonly resource: string; readonly reason: string }
  /** The lock is held. */
  | { readonly event: "acquired"; readonly resource: string; readonly fence: number }
  /** The server has confirmed a renewal. */
  | { readonly event: "renewed"; readonly resource: string }
  /** Somebody breaks the lock, and has left this client so long to come to an end. */
  | { readonly event: "breaking"; readonly resource: string; readonly leftMs: number }
  /** The lock counts as lost. Told once. */
  | { readonly event: "lost"; readonly resource: string; readonly reason: LossReason; readonly detail: string }
  /** The server has confirmed the release. */
  | { readonly event: "released"; readonly resource: string }
  /** The server has not confirmed the release: the lock ends with its lease. */
  | { readonly event: "not_released"; readonly resource: string; readonly reason: string }
  /** Another client has the lock, also at the end of the wait. */
  | { readonly event: "not_acquired"; readonly resource: string; readonly reason: string }
  /** The lock was not acquired for another reason. */
  | { readonly event: "failed"; readonly resource: string; readonly reason: string };

/** Is called with what happens. What it throws is ignored: it must not end a lock. */
export type Listener = (news: LockNews) => void;

/** One listener that tells all of them. */
export function tellAll(...listeners: readonly (Listener | undefined)[]): Listener {
  return (news) => {
    for (const listener of listeners) {
      try {
        listener?.(news);
      } catch {
        // The locks go on.
      }
    }
  };
}
