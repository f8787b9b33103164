/** What a caller may say about a lock. Times are in milliseconds. */

import type { Listener } from "./events.js";
import { invalid } from "./requests.js";

/** How to hold a lock. */
export interface Kind {
  /** Alone (`exclusive`, the default), or together with all who share it (`shared`). */
  readonly mode?: "exclusive" | "shared" | undefined;
  /** Makes the lock a semaphore: the permits of all holders together. All must name the same limit. */
  readonly limit?: number | undefined;
  /** How many of the permits this holder takes; 1 by default. Needs a `limit`. */
  readonly permits?: number | undefined;
}

/** How long to hold a lock, and what to do meanwhile. */
export interface HoldOptions {
  /** The lease: how long the lock lasts after the last renewal. 30 s by default. */
  readonly ttlMs?: number | undefined;
  /**
   * The lock counts as lost so long before the lease may have run out, so that there is time to stop. By default a sixth
   * of the lease, and at most 5 s; at most half of the lease.
   */
  readonly graceMs?: number | undefined;
  /** The lock counts as lost when it was held for so long. Without end by default. */
  readonly maxHoldMs?: number | undefined;
  /**
   * Nobody else gets the lock before it was held for so long, however soon it is released: for jobs that several machines
   * start at the same time by clocks that differ. Not for shared locks.
   */
  readonly atLeastMs?: number | undefined;
  /** Is called with what happens to this lock, beside the listener of the client. */
  readonly onEvent?: Listener | undefined;
}

/** How to ask for a lock, or for several. */
export interface AskOptions extends HoldOptions {
  /**
   * How long to wait for the lock, first come, first served. 0 by default; `Infinity` is for ever. It never bounds how
   * long the lock is held.
   */
  readonly waitMs?: number | undefined;
  /** Ends the waiting. In `using` it also aborts the signal of the body. */
  readonly signal?: AbortSignal | undefined;
  /** A label for people. By default the name of the machine and the id of the process. */
  readonly owner?: string | undefined;
  /** Any JSON, which the server keeps with the lock and shows to everybody. */
  readonly metadata?: unknown;
}

/** How to ask for one lock. */
export interface AcquireOptions extends AskOptions, Kind {
  /** If the request has to wait, it counts as having come so much earlier. */
  readonly headstartMs?: number | undefined;
  /** When the request joins the queue, it dismisses the request that waits there with the same text. */
  readonly replaces?: string | undefined;
}

/** How to go on holding a lock that another process has acquired. */
export type AdoptOptions = Pick<HoldOptions, "ttlMs" | "graceMs" | "maxHoldMs" | "onEvent">;

/** The times of a lock, checked. */
export interface Terms {
  readonly ttlMs: number;
  readonly graceMs: number;
  readonly maxHoldMs: number;
  readonly atLeastMs: number;
}

const TTL_MS = 30_000;
const LONGEST_GRACE_MS = 5000;

export function termsOf(options: HoldOptions): Terms {
  const ttlMs = time("ttlMs", options.ttlMs, TTL_MS);
  const graceMs = time("graceMs", options.graceMs, Math.min(ttlMs / 6, LONGEST_GRACE_MS));
  if (!(ttlMs > 0) || ttlMs === Infinity) throw invalid("ttlMs", `ttlMs is ${ttlMs}, and a lease is a positive time`);
  if (graceMs > ttlMs / 2) {
    throw invalid("graceMs", `graceMs is ${graceMs}, and must be at most half of the lease (${ttlMs})`);
  }
  return {
    ttlMs,
    graceMs,
    maxHoldMs: time("maxHoldMs", options.maxHoldMs, Infinity),
    atLeastMs: time("atLeastMs", options.atLeastMs, 0),
  };
}

/** A time that an option gives, or its default. */
export function time(option: string, given: number | undefined, otherwise: number): number {
  const ms = given ?? otherwise;
  if (typeof ms !== "number" || Number.isNaN(ms) || ms < 0) {
    throw invalid(option, `${option} is ${String(ms)}, and must be a number of milliseconds`);
  }
  return ms;
}

/** The fields `mode`, `limit` and `permits` of a request. Servers of 0.1 refuse them, so an exclusive lock has none. */
export function kindOf({ mode, limit, permits }: Kind): { mode?: "shared"; limit?: number; permits?: number } {
  const shared = mode === "shared" || (mode === undefined && (limit !== undefined || permits !== undefined));
  if (!shared) {
    if (limit !== undefined || permits !== undefined) throw invalid("limit", "limit and permits need the mode shared");
    return {};
  }
  return { mode: "shared", ...(limit === undefined ? {} : { limit }), ...(permits === undefined ? {} : { permits }) };
}
