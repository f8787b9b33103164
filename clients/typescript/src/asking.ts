/** Asks for locks, and waits for them in the queues of the server. */

import { sleepUntil } from "./clock.js";
import type { GorillaError } from "./errors.js";
import { NotAcquiredError } from "./errors.js";
import type { Listener } from "./events.js";
import type { Code } from "./generated/codes.js";
import type { Done, Request, Way } from "./http.js";
import { ANSWER_MS, exchange, Refusal, Trouble } from "./http.js";
import { newKey } from "./requests.js";
import { KEY_LIFE_MS, Retry } from "./retry.js";

/** How long a request waits at first: for a moment, to learn who holds the lock. Later requests wait for longer. */
const FIRST_PIECE_MS = 1000;
const SHORTEST_PIECE_MS = 100;
/** How long a client that has waited in the queue goes on while it can't reach the server. */
const OUTAGE_MS = 60_000;
/** How much later than the end of the wait an answer may come. */
const LATE_MS = 1000;
/** A free lock waits for a second for a waiter that is away, so a waiter must be back within that time. */
const LONGEST_PAUSE_OF_A_WAITER_MS = 500;

/** What is asked for, and how patiently. */
export interface Asking<Granted> {
  readonly way: Way;
  /** The name of the lock, or of the first of several: for events. */
  readonly resource: string;
  /** When to stop waiting; `Infinity` for never. */
  readonly deadline: number;
  /** How long one request waits at most. */
  readonly longestPieceMs: number;
  readonly signal: AbortSignal | undefined;
  readonly tell: Listener;
  /** The request with this key, which waits for so many seconds. */
  request(key: string, waitSeconds: number, timeoutMs: number): Request;
  /** Reads the body of a success. */
  read(body: unknown): Granted;
  /** The caller has hung up on a request with this key, which may have been executed. */
  abandon(key: string): void;
}

/** What was granted, and when the request was sent that was granted. */
export interface Grant<Granted> {
  readonly sent: number;
  readonly granted: Granted;
  readonly requestId: string | null;
}

/** Asks until the server grants or refuses. */
export async function ask<Granted>(asking: Asking<Granted>): Promise<Grant<Granted>> {
  const { way, resource, deadline, signal, tell, longestPieceMs } = asking;
  signal?.throwIfAborted();
  const { clock } = way;
  const begun = clock.now();
  const waits = deadline > begun;
  const newRetry = () => new Retry(waits ? LONGEST_PAUSE_OF_A_WAITER_MS : undefined);
  let [key, retry, longest, piece] = [newKey(), newRetry(), longestPieceMs, FIRST_PIECE_MS];
  /** When the server answered last, and when the first copy since then was sent. */
  let [heard, firstSent] = [-Infinity, begun];
  for (;;) {
    const now = clock.now();
    const wait = Math.ceil(Math.max(0, Math.min(deadline - now, piece)));
    const timeoutMs = waits ? Math.max(Math.min(wait + ANSWER_MS, deadline + LATE_MS - now), 1) : ANSWER_MS;
    try {
      const done: Done = await exchange(way, asking.request(key, wait / 1000, timeoutMs), signal);
      return { sent: done.sent, granted: asking.read(done.body), requestId: done.requestId };
    } catch (error) {
      if (error instanceof Refusal) {
        [heard, firstSent, retry] = [clock.now(), clock.now(), newRetry()];
        const busy = () => error.busy(resource);
        switch (error.code as Code) {
          case "wait_timeout":
          case "lock_held":
          case "lock_reserved":
            if (clock.now() >= deadline) throw new NotAcquiredError(busy(), error.requestId);
            tell({ event: "waiting", ...busy() });
            piece = Math.min(piece * 4, longest);
            continue;
          // The server granted the lock, the answer got lost, and the lease has ended since.
          case "lock_gone":
            key = newKey();
            continue;
          case "invalid_request":
            // The server allows only shorter waits.
            if (error.body.field === "wait" && wait > SHORTEST_PIECE_MS) {
              piece = longest = wait / 2;
              continue;
            }
        }
        throw error.verdict();
      }
      if (!(error instanceof Trouble)) {
        // The caller has hung up in the middle of the request.
        if (signal?.aborted) asking.abandon(key);
        throw error;
      }
      tell({ event: "trouble", resource, reason: error.message });
      const patient = begun + way.patienceMs;
      let giveUp = waits ? Math.min(Math.max(patient, heard + OUTAGE_MS), deadline) : patient;
      const next = clock.now() + retry.pauseAfter(error);
      if (retry.inDoubt) giveUp = Math.min(giveUp, firstSent + KEY_LIFE_MS);
      else firstSent = next;
      if (next >= giveUp) throw retry.verdict(error);
      try {
        await sleepUntil(clock, next, signal);
      } catch (reason) {
        if (retry.inDoubt) asking.abandon(key);
        throw reason;
      }
      // The machine may have been suspended.
      if (retry.inDoubt && clock.now() >= firstSent + KEY_LIFE_MS) throw retry.verdict(error);
    }
  }
}

/** What to tell of a request that failed. */
export function failure(error: GorillaError, resource: string): Parameters<Listener>[0] {
  const event = error instanceof NotAcquiredError ? "not_acquired" : "failed";
  return { event, resource, reason: error.message };
}
