/** Runs each job of node-cron on one machine. */

import { GorillaError, NotAcquiredError } from "./errors.js";
import type { Gorilla } from "./gorilla.js";
import type { Lock } from "./lock.js";

/** What node-cron (4.6 or later) calls a run coordinator. */
export interface RunCoordinator {
  shouldRun(key: string, ttlMs: number): Promise<boolean>;
  onComplete(key: string): Promise<void>;
}

/** How to coordinate. */
export interface CoordinatorOptions {
  /** What the names of the locks begin with. `cron:` by default. */
  readonly prefix?: string | undefined;
  /** More than the clocks of the machines differ: nobody else runs a job sooner after its start. 30 s by default. */
  readonly atLeastMs?: number | undefined;
}

/**
 * A coordinator for the option `runCoordinator` of node-cron, or for its `setRunCoordinator`, with `distributed: true`.
 * The lock of a run is renewed while the job runs. If the server can't be reached, no machine runs the job: node-cron
 * tells it as `execution:skipped` with the reason `coordinator-error`.
 */
export function runCoordinator(gorilla: Gorilla, options: CoordinatorOptions = {}): RunCoordinator {
  const { prefix = "cron:", atLeastMs = 30_000 } = options;
  const running = new Map<string, Lock>();
  return {
    async shouldRun(key, ttlMs) {
      try {
        running.set(key, await gorilla.acquire(prefix + key, { ttlMs, atLeastMs }));
        return true;
      } catch (error) {
        if (error instanceof NotAcquiredError) return false;
        throw error;
      }
    },
    async onComplete(key) {
      const lock = running.get(key);
      running.delete(key);
      try {
        await lock?.release();
      } catch (error) {
        // The lock was lost while the job ran; the listener of the client has told so.
        if (!(error instanceof GorillaError)) throw error;
      }
    },
  };
}
