/** Sends a request until there is an answer. */

import { sleepUntil } from "./clock.js";
import type { UnavailableError, UnknownError } from "./errors.js";
import type { Done, Request, Way } from "./http.js";
import { exchange, Refusal, Trouble } from "./http.js";

/** The pauses after the first attempt and after many attempts. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [50, 2000];

/**
 * How long after the first attempt the key of a request is good. The server forgets a key 60 s after its success, and a
 * copy would then be a new request.
 */
export const KEY_LIFE_MS = 55_000;

/** Counts the attempts of one request and spaces them. */
export class Retry {
  #attempts = 0;
  /** The trouble of an attempt that may have been executed. A later trouble replaces it only if it is in doubt too. */
  #doubt: Trouble | undefined;

  constructor(private readonly longestPause: number = LONGEST_PAUSE) {}

  /** Notes a trouble. The pause varies at random, so that clients that failed together don't come back together. */
  pauseAfter(trouble: Trouble): number {
    if (trouble.inDoubt) this.#doubt = trouble;
    const exponential = Math.min(FIRST_PAUSE * 2 ** Math.min(this.#attempts++, 10), this.longestPause);
    return Math.max(exponential * (0.5 + Math.random() / 2), Math.min(trouble.afterMs, this.longestPause));
  }

  /** Whether an attempt may have been executed. */
  get inDoubt(): boolean {
    return this.#doubt !== undefined;
  }

  /** What it means to the caller if there is no attempt after this trouble. */
  verdict(trouble: Trouble): UnknownError | UnavailableError {
    return (this.#doubt ?? trouble).verdict();
  }

  /** Sleeps until the next attempt, or throws why there is none. */
  async pause(way: Way, trouble: Trouble, giveUp: number, signal?: AbortSignal): Promise<void> {
    const next = way.clock.now() + this.pauseAfter(trouble);
    if (next >= giveUp) throw this.verdict(trouble);
    await sleepUntil(way.clock, next, signal);
    // The machine may have been suspended.
    if (way.clock.now() >= giveUp) throw this.verdict(trouble);
  }
}

/** What may happen while a request is repeated. */
export interface Sending {
  /** Ends it, and rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Is told why an attempt failed. */
  readonly onTrouble?: (reason: string) => void;
}

/** Sends a request until there is an answer or until `giveUp`. Throws a `Refusal` or an error for the caller. */
export async function send(
  way: Way,
  request: Request,
  giveUp: number,
  { signal, onTrouble }: Sending = {},
): Promise<Done> {
  const retry = new Retry();
  const latest = Math.min(giveUp, way.clock.now() + KEY_LIFE_MS);
  for (;;) {
    try {
      return await exchange(way, request, signal);
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      onTrouble?.(error.message);
      await retry.pause(way, error, latest, signal);
    }
  }
}

/** The same for a call of a user, to whom a refusal is an error. */
export async function call(way: Way, request: Request): Promise<Done> {
  try {
    return await send(way, request, way.clock.now() + way.patienceMs);
  } catch (error) {
    throw error instanceof Refusal ? error.verdict() : error;
  }
}
