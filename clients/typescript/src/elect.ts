/** Elections: who holds the lock of a name, leads. */

import { sleepUntil } from "./clock.js";
import { attachLoss, LockLostError, NotAcquiredError, UnavailableError, UnknownError } from "./errors.js";
import type { Gorilla } from "./gorilla.js";
import { link } from "./link.js";
import type { Lock } from "./lock.js";
import type { AcquireOptions } from "./options.js";

/** How long a candidate pauses that could not reach the server. */
const PAUSE_MS = 1000;

/** How to campaign and lead. */
export type ElectOptions = Omit<AcquireOptions, "waitMs" | "mode" | "limit" | "permits" | "atLeastMs">;

/** What a leader knows of its term. */
export class Leader {
  readonly #lock: Lock;
  /** Is aborted when this client leads no more: with a `LockLostError`, or with the reason of the signal of `elect`. */
  readonly lost: AbortSignal;

  /** @internal */
  constructor(lock: Lock, lost: AbortSignal) {
    this.#lock = lock;
    this.lost = lost;
  }

  /** The number of the term: larger than those of all earlier terms. It is the fence of the lock. */
  get term(): number {
    return this.#lock.fence;
  }

  /** The same as `term`: send it along with each write. */
  get fence(): number {
    return this.#lock.fence;
  }

  /** Whether this client leads for sure at this moment. */
  get held(): boolean {
    return this.#lock.held;
  }

  /** Throws `LockLostError` unless this client leads for sure at this moment. */
  check(): void {
    this.#lock.check();
  }
}

/** The work of a leader. */
export type Lead<Result> = (leader: Leader, lost: AbortSignal) => Result | Promise<Result>;

/** Campaigns until `lead` returns: then resigns, and answers what it returned. */
export async function elect<Result>(
  gorilla: Gorilla,
  name: string,
  options: ElectOptions,
  lead: Lead<Result>,
): Promise<Result> {
  for (;;) {
    const lock = await campaign(gorilla, name, options);
    const linked = link(lock.signal, options.signal);
    let outcome: { failed: false; result: Result } | { failed: true; error: unknown };
    try {
      outcome = { failed: false, result: await lead(new Leader(lock, linked.signal), linked.signal) };
    } catch (error) {
      outcome = { failed: true, error };
    } finally {
      linked.end();
    }
    const loss = await resign(lock);
    const isToldToStop = loss !== null || options.signal?.aborted;
    if (outcome.failed && !(isToldToStop && isCancellation(outcome.error, options.signal))) {
      if (loss) attachLoss(outcome.error, loss);
      throw outcome.error;
    }
    options.signal?.throwIfAborted();
    if (!outcome.failed && !loss) return outcome.result;
  }
}

/** Waits until this client leads, for as long as it takes. */
async function campaign(gorilla: Gorilla, name: string, options: ElectOptions): Promise<Lock> {
  for (;;) {
    try {
      return await gorilla.acquire(name, { ...options, waitMs: Infinity });
    } catch (error) {
      const passes = [UnavailableError, UnknownError, NotAcquiredError].some((kind) => error instanceof kind);
      if (!passes) throw error;
    }
    await sleepUntil(gorilla.clock, gorilla.clock.now() + PAUSE_MS * (0.5 + Math.random()), options.signal);
  }
}

async function resign(lock: Lock): Promise<LockLostError | null> {
  try {
    await lock.release();
    return null;
  } catch (error) {
    if (error instanceof LockLostError) return error;
    throw error;
  }
}

/** Whether the work ended because it was told to. */
function isCancellation(error: unknown, signal: AbortSignal | undefined): boolean {
  if (signal?.aborted && error === signal.reason) return true;
  return error instanceof LockLostError || (error instanceof Error && error.name === "AbortError");
}
