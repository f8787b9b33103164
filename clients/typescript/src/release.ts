/** Gives locks back. No release fails because the server doesn't answer: the lock then ends with its lease. */

import { sleepUntil } from "./clock.js";
import type { Hold } from "./hold.js";
import { endOf } from "./hold.js";
import { ANSWER_MS, judge, Refusal } from "./http.js";
import type { Keeper } from "./keeper.js";
import * as requests from "./requests.js";
import { newKey, readBatched, readLock } from "./requests.js";
import { send } from "./retry.js";

/** What became of a release: null if the server has confirmed it, else a refusal or why there is no answer. */
type Outcome = Refusal | Error | null;

/**
 * Gives locks back, in one request if they are several. Each promise tells whether the server has confirmed the release,
 * and rejects if the lock was lost.
 */
export function release(keeper: Keeper, holds: readonly Hold[]): Promise<boolean>[] {
  const fresh = holds.filter((hold) => !hold.releasing);
  const key = newKey();
  for (const hold of fresh) {
    hold.finish();
    keeper.forget(hold);
  }
  const told = prepareAll(fresh).then(() => together(fresh, key));
  for (const hold of fresh) hold.releasing = told.then((outcomes) => conclude(hold, key, outcomes));
  return holds.map((hold) => hold.releasing ?? Promise.resolve(true));
}

/**
 * Ends the renewing. Awaits a renewal whose answer may have another token: only that token releases the lock, and no
 * renewal may follow the release.
 */
export async function settle(hold: Hold): Promise<void> {
  const { renewal, way } = hold;
  if (!renewal) return;
  const giveUp = way.clock.now() + way.patienceMs;
  await renewal.attempt;
  while (hold.renewal === renewal && renewal.inDoubt && !hold.loss() && renewal.nextAt < giveUp) {
    await sleepUntil(way.clock, renewal.nextAt);
    await renewal.begin(renewal.alone());
  }
}

async function prepareAll(holds: readonly Hold[]): Promise<void> {
  await Promise.all(
    holds.map(async (hold) => {
      if (hold.gone) return;
      await settle(hold);
      await cover(hold);
    }),
  );
}

/** How much longer the lock must be held for its holder to have held it for `atLeastMs`. */
function missing(hold: Hold): number {
  return Math.max(0, hold.since + hold.terms.atLeastMs - hold.way.clock.now());
}

/** Makes the lease last for what is missing of `atLeastMs`. */
async function cover(hold: Hold): Promise<void> {
  const { way, resource, token } = hold;
  const [now, rest] = [way.clock.now(), missing(hold)];
  if (hold.loss() || rest === 0 || now + rest <= hold.ends) return;
  const body = { timeout: Math.ceil(rest) / 1000, ...(way.rotates ? {} : { rotate: false }) };
  try {
    const done = await send(way, requests.extend(resource, token, body, newKey()), now + way.patienceMs);
    const lock = readLock(done.body);
    if (endOf(done.sent, lock.ttlMs) > hold.ends) hold.token = lock.token;
  } catch (error) {
    // Otherwise the lock is given back all the same.
    if (error instanceof Refusal && error.ended) hold.end(error.message, error.requestId);
  }
}

/** Gives back those that a batch can give back. */
async function together(holds: readonly Hold[], key: string): Promise<Map<Hold, Outcome>> {
  const outcomes = new Map<Hold, Outcome>();
  const rest = holds.filter((hold) => !hold.gone && missing(hold) === 0).reverse();
  while (rest.length > 1) {
    const some = rest.splice(0, requests.MOST_ITEMS);
    const operations = some.map(({ resource, token }) => ({ op: "release" as const, resource, token }));
    const way = (some[0] as Hold).way;
    try {
      const giveUp = way.clock.now() + way.patienceMs;
      const { sent, body } = await send(way, requests.batch({ operations }, ANSWER_MS, key), giveUp);
      for (const { index, status, body: said } of readBatched(body).results) {
        const hold = some[index];
        if (hold)
          outcomes.set(
            hold,
            attempt(() => judge(way, sent, status, said, {})),
          );
      }
    } catch {
      // Each goes alone, with the same key: what was released is answered as released.
    }
  }
  return outcomes;
}

function attempt(judged: () => unknown): Outcome {
  try {
    judged();
    return null;
  } catch (error) {
    return error as Error;
  }
}

async function alone(hold: Hold, key: string): Promise<Outcome> {
  const { way, resource, token } = hold;
  try {
    await send(way, requests.release(resource, token, key, missing(hold)), way.clock.now() + way.patienceMs);
    return null;
  } catch (error) {
    return error as Error;
  }
}

async function conclude(hold: Hold, key: string, outcomes: Map<Hold, Outcome>): Promise<boolean> {
  const lostBefore = hold.loss();
  if (hold.gone && lostBefore) throw lostBefore;
  let outcome = outcomes.get(hold);
  if (outcome !== null && !(outcome instanceof Refusal)) outcome = await alone(hold, key);
  const { resource } = hold;
  if (outcome === null) hold.tell({ event: "released", resource });
  else if (outcome instanceof Refusal && outcome.ended) hold.end(outcome.message, outcome.requestId);
  else hold.tell({ event: "not_released", resource, reason: outcome.message });
  const loss = hold.loss();
  if (loss) throw loss;
  return outcome === null;
}
