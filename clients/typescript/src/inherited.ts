/** The lock under which this process was started. */

import type { Fenced } from "./fence.js";
import { environment } from "./runtime.js";

/**
 * The lock that `gorilla lock NAME -- command` holds for this process, with its fence; null if there is none. With
 * several locks, name one of them.
 */
export function inherited(resource?: string): Fenced | null {
  const lines = (variable: string) => environment(variable)?.split("\n") ?? [];
  const names = lines("GORILLA_LOCK_NAMES");
  const index = resource === undefined && names.length === 1 ? 0 : names.indexOf(resource ?? "");
  const [name, fence, floor] = [names[index], lines("GORILLA_LOCK_FENCES")[index], lines("GORILLA_LOCK_FLOORS")[index]];
  if (name === undefined || fence === undefined || floor === undefined) return null;
  return { resource: name, fence: Number(fence), floor: Number(floor) };
}
