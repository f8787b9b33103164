/** Jobs that run on one machine although several machines start them. */

import { NotAcquiredError } from "./errors.js";
import type { Gorilla } from "./gorilla.js";
import type { AcquireOptions } from "./options.js";

/** What a job made by `once` answers where it did not run, because another machine runs it or has just run it. */
export const SKIPPED: unique symbol = Symbol("gorilla: skipped");

/** How to lock a job. */
export type OnceOptions = Omit<AcquireOptions, "signal">;

export function once<Arguments extends unknown[], Result>(
  gorilla: Gorilla,
  name: string,
  options: OnceOptions,
  job: (...args: Arguments) => Result | Promise<Result>,
): (...args: Arguments) => Promise<Result | typeof SKIPPED> {
  return async (...args) => {
    let runs = false;
    try {
      return await gorilla.using(name, options, () => {
        runs = true;
        return job(...args);
      });
    } catch (error) {
      // The job may use locks itself, and fail with the same error.
      if (!runs && error instanceof NotAcquiredError) return SKIPPED;
      throw error;
    }
  };
}
