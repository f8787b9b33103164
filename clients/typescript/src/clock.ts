/** A clock that goes on while the machine is suspended, and sleeping by it. */

import { uptime } from "./runtime.js";

/** A clock that never steps back, and doesn't follow the wall clock. */
export interface Clock {
  /** Milliseconds since some moment in the past. */
  now(): number;
}

/** The timers of a runtime stand still while the machine is suspended, so no sleep is longer. */
export const LONGEST_SLEEP = 500;

/** The clock of this machine. */
export const systemClock: Clock = systemClockOf(() => performance.now(), uptime());

/**
 * `performance.now()` stands still while a Linux machine is suspended. The uptime of the machine does not, but it is
 * coarse: some runtimes tell whole seconds. So a suspension counts when the uptime is ahead by more than its grain.
 */
export function systemClockOf(monotonic: () => number, sinceStart: (() => number) | undefined): Clock {
  if (!sinceStart) return { now: monotonic };
  // The order of the readings matters: the process may pause between them, and that must not count as a suspension.
  const lag = monotonic() - sinceStart();
  let grain = 1000;
  let suspended = 0;
  return {
    now() {
      const up = sinceStart();
      const now = monotonic();
      if (up % 1000 !== 0) grain = 20;
      const ahead = up + lag - now;
      if (ahead > suspended + grain) suspended = ahead;
      return now + suspended;
    },
  };
}

/** Sleeps until a moment of the clock, or rejects with the reason of the signal. Keeps the process alive. */
export async function sleepUntil(clock: Clock, then: number, signal?: AbortSignal): Promise<void> {
  for (;;) {
    signal?.throwIfAborted();
    const left = then - clock.now();
    if (left <= 0) return;
    await pause(Math.min(left, LONGEST_SLEEP), signal);
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, Math.ceil(ms));
    signal?.addEventListener("abort", end);
  });
}
