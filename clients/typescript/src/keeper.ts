/** Renews all locks of a client, with one timer, and in one request where several are due at about the same time. */

import { LONGEST_SLEEP } from "./clock.js";
import type { Hold } from "./hold.js";
import type { Way } from "./http.js";
import { ANSWER_MS, exchange, judge, Refusal, Trouble } from "./http.js";
import { Renewal } from "./renewal.js";
import { batch, MOST_ITEMS, readBatched, readLock } from "./requests.js";
import { unref } from "./runtime.js";

/** How long locks are renewed one by one after a server has refused a batch, as servers do that know no batches. */
const SINGLY_MS = 600_000;

export class Keeper {
  readonly #holds = new Set<Hold>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wakeAt = Infinity;
  #singlyUntil = -Infinity;

  constructor(private readonly way: Way) {}

  /** The locks that are held. */
  get holds(): readonly Hold[] {
    return [...this.#holds];
  }

  /** Begins to renew a lock, until the holder is done with it or it is lost. */
  keep(hold: Hold): void {
    this.#holds.add(hold);
    if (hold.wakeAt < this.#wakeAt) this.#arm(hold.wakeAt);
  }

  /** Ends the renewing. An attempt that is under way comes to its end. */
  forget(hold: Hold): void {
    this.#holds.delete(hold);
  }

  /** Sets the timer, which doesn't keep the process alive: a lock doesn't. */
  #arm(wakeAt: number): void {
    clearTimeout(this.#timer);
    this.#wakeAt = wakeAt;
    if (wakeAt === Infinity) return;
    const left = Math.max(0, Math.min(wakeAt - this.way.clock.now(), LONGEST_SLEEP));
    this.#timer = setTimeout(() => this.#tick(), Math.ceil(left));
    unref(this.#timer);
  }

  #tick(): void {
    const now = this.way.clock.now();
    for (const hold of this.#holds) if (!hold.held) this.#holds.delete(hold);
    if (this.holds.some((hold) => hold.isDue(now))) this.#renew(now);
    this.#arm(Math.min(Infinity, ...this.holds.map((hold) => hold.wakeAt)));
  }

  #renew(now: number): void {
    const due = this.holds.filter((hold) => hold.isNearlyDue(now));
    const together: Hold[] = [];
    for (const hold of due) {
      hold.renewal ??= new Renewal(hold);
      if (now < this.#singlyUntil || now >= hold.renewal.aloneFrom) this.#begin([hold], hold.renewal.alone());
      else together.push(hold);
    }
    const [first, second] = together;
    if (first && !second) this.#begin([first], first.renewal?.alone());
    while (together.length > 1) {
      const some = together.splice(0, MOST_ITEMS);
      this.#begin(some, this.#together(some));
    }
  }

  #begin(holds: readonly Hold[], attempt: Promise<void> | undefined): void {
    if (!attempt) return;
    for (const hold of holds) hold.renewal?.begin(attempt);
    void attempt.then(() => this.#arm(Math.min(this.#wakeAt, ...holds.map((hold) => hold.wakeAt))));
  }

  /** Renews several locks with one request, which keeps their tokens, so that a lost answer costs nothing. */
  async #together(holds: readonly Hold[]): Promise<void> {
    const operations = holds.map(({ resource, token, terms }) => {
      return { op: "extend" as const, resource, token, timeout: terms.ttlMs / 1000, rotate: false };
    });
    const timeoutMs = Math.min(ANSWER_MS, ...holds.map((hold) => hold.terms.ttlMs / 4));
    try {
      const { sent, body } = await exchange(this.way, batch({ operations, brief: true }, timeoutMs));
      const { ok, results } = readBatched(body);
      const told = new Map(results.map((result) => [result.index, result]));
      // A brief answer leaves out what succeeded, which has the lease that was asked for.
      const isWhole = ok + results.length >= holds.length;
      holds.forEach((hold, index) => {
        const result = told.get(index);
        try {
          if (!result && !isWhole) throw new Trouble("the answer to the batch lacks this lock", true);
          const done =
            result && judge(this.way, sent, result.status, result.body, { retryAfter: result.retryAfter ?? 0 });
          hold.confirm(sent, done ? readLock(done.body).ttlMs : hold.terms.ttlMs, hold.token);
        } catch (error) {
          note(hold, error);
        }
      });
    } catch (error) {
      // It would be refused again.
      if (error instanceof Refusal) this.#singlyUntil = this.way.clock.now() + SINGLY_MS;
      const trouble = error instanceof Refusal ? new Trouble(error.message, false, error.requestId) : error;
      for (const hold of holds) note(hold, trouble);
    }
  }
}

/** Notes a failure of a lock in a batch. It leaves no doubt about the token, which stays. */
function note({ renewal }: Hold, error: unknown): void {
  if (error instanceof Refusal) renewal?.refused(error);
  else if (error instanceof Trouble) renewal?.fail(new Trouble(error.message, false, error.requestId, error.afterMs));
  else renewal?.fail(new Trouble(String(error), false));
}
