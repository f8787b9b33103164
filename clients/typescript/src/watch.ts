/** Watches what happens to locks: the stream of events of the server. */

import { sleepUntil } from "./clock.js";
import { RefusedError } from "./errors.js";
import type { Listener } from "./events.js";
import type { Free, Held, Shared } from "./generated/wire.js";
import type { Way } from "./http.js";
import { ANSWER_MS, headersOf, judge, Refusal, Trouble } from "./http.js";
import { link } from "./link.js";
import { EVENTS } from "./requests.js";
import { Retry } from "./retry.js";
import { Messages } from "./sse.js";

/** What to watch. The filters count together. */
export interface WatchOptions {
  /** Only locks whose names begin with it. */
  readonly prefix?: string | undefined;
  /** Only these locks, at most 16. */
  readonly resources?: readonly string[] | undefined;
  /** Only events with this owner. */
  readonly owner?: string | undefined;
  /** Only these types. */
  readonly types?: readonly ChangeType[] | undefined;
  /** Begin with the state of the locks. */
  readonly snapshot?: boolean | undefined;
  /** Resume after the `cursor` of an event. */
  readonly since?: string | undefined;
  /** Ends the watching. */
  readonly signal?: AbortSignal | undefined;
}

/** The types of changes. */
export type ChangeType =
  | "granted"
  | "extended"
  | "released"
  | "expired"
  | "broken"
  | "undone"
  | "queued"
  | "left"
  | "leader"
  | "vacant";

/** A change of a lock. docs/reference/events.md says which type has which members. */
export interface ChangeEvent {
  readonly type: ChangeType;
  /** Where to resume, for `since`. Absent in a `broken` that was told while nothing was recorded. */
  readonly cursor?: string;
  readonly resource: string;
  /** When it happened, RFC 3339, by the clock of Redis. */
  readonly at: string;
  readonly owner?: string;
  readonly fence?: number;
  readonly id?: string;
  readonly expireAt?: string;
  readonly expiredAt?: string;
  readonly heldMs?: number;
  readonly waitedMs?: number;
  readonly previousFence?: number;
  readonly metadata?: readonly unknown[];
  readonly metadataOmitted?: true;
  readonly mode?: "shared";
  readonly permits?: number;
  readonly by?: string | null;
  readonly reason?: string | null;
  readonly cause?: string;
  readonly place?: string;
  readonly position?: number;
  readonly waiting?: number;
  readonly holderFence?: number | null;
  readonly ttlMs?: number;
}

/** What `watch` tells. A server of a later version may tell further types. */
export type LockEvent =
  | ChangeEvent
  /** The state of a lock, with `snapshot`. */
  | ({ readonly type: "state" } & (Held | Shared | Free))
  /** All states were told; changes follow. */
  | { readonly type: "synced"; readonly cursor: string }
  /** Changes are missing here: read the state again. With `snapshot` the states follow. */
  | { readonly type: "missed"; readonly reason: "trimmed" | "restarted" | "failover" | "slow" | "not_recorded" };

/** The messages that concern the stream itself. */
type Control = { readonly type: "hello" } | { readonly type: "bookmark"; readonly cursor: string } | Bye;
interface Bye {
  readonly type: "bye";
  readonly reason: "draining" | "slow" | "rights";
}

/** The server tells something every 15 s. A stream that is silent for longer is dead. */
const SILENCE_MS = 45_000;
/** How long to wait before a stream that ended is opened again, at most. */
const REOPEN_MS = 2000;
/** How many of the last events are remembered, so that none is told twice. */
const REMEMBERED = 4096;

export async function* watch(
  way: Way,
  closing: AbortSignal,
  options: WatchOptions,
  tell: Listener,
): AsyncGenerator<LockEvent, void, undefined> {
  const stop = link(closing, options.signal);
  const seen = new Seen();
  let since = options.since;
  let retry = new Retry();
  try {
    while (!stop.signal.aborted) {
      let pause: number;
      try {
        for await (const event of stream(way, options, since, stop.signal)) {
          retry = new Retry();
          if ("cursor" in event && event.cursor !== undefined) since = event.cursor;
          if (event.type === "hello" || event.type === "bookmark") continue;
          if (event.type === "bye") {
            if (event.reason !== "rights") break;
            throw new RefusedError("insufficient_scope", "the API key may not watch these locks any more");
          }
          if (!seen.before(event)) yield event;
        }
        pause = Math.random() * REOPEN_MS;
      } catch (error) {
        if (stop.signal.aborted) return;
        if (error instanceof Refusal) throw error.verdict();
        if (!(error instanceof Trouble)) throw error;
        tell({ event: "trouble", resource: options.resources?.[0] ?? options.prefix ?? "", reason: error.message });
        pause = retry.pauseAfter(error);
      }
      await sleepUntil(way.clock, way.clock.now() + pause, stop.signal).catch(() => {});
    }
  } finally {
    stop.end();
  }
}

/** One stream, until it ends. */
async function* stream(
  way: Way,
  options: WatchOptions,
  since: string | undefined,
  stop: AbortSignal,
): AsyncGenerator<LockEvent | Control, void, undefined> {
  const hangUp = link(stop);
  const silence = new AbortController();
  const both = link(hangUp.signal, silence.signal);
  let timer = setTimeout(() => silence.abort(), ANSWER_MS);
  try {
    const headers = headersOf(way, {});
    headers.set("accept", "text/event-stream");
    const init: RequestInit = { headers, redirect: "error", signal: both.signal };
    const response = await way.fetch(`${way.url}${EVENTS}${queryOf(options, since)}`, init);
    const requestId = response.headers.get("x-request-id");
    if (!response.ok) {
      const retryAfter = Number(response.headers.get("retry-after") ?? 0);
      judge(way, way.clock.now(), response.status, await response.json().catch(() => undefined), {
        requestId,
        retryAfter,
      });
    }
    if (!response.body) throw new Trouble(`${way.url} answers without a stream`, false, requestId);
    const messages = new Messages();
    const text = new TextDecoder();
    for await (const chunk of response.body) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      for (const { data } of messages.feed(text.decode(chunk as Uint8Array, { stream: true }))) {
        yield JSON.parse(data) as LockEvent | Control;
      }
    }
  } catch (error) {
    if (error instanceof Trouble || error instanceof Refusal || stop.aborted) throw error;
    throw new Trouble(silence.signal.aborted ? `${way.url} is silent` : `the stream of ${way.url} broke off`, false);
  } finally {
    clearTimeout(timer);
    silence.abort();
    both.end();
    hangUp.end();
  }
}

function queryOf({ prefix, resources = [], owner, types, snapshot }: WatchOptions, since: string | undefined): string {
  const query = new URLSearchParams();
  if (prefix !== undefined) query.set("prefix", prefix);
  for (const resource of resources) query.append("resource", resource);
  if (owner !== undefined) query.set("owner", owner);
  if (types !== undefined) query.set("types", types.join(","));
  if (snapshot) query.set("snapshot", "1");
  if (since !== undefined) query.set("since", since);
  return query.size > 0 ? `?${query}` : "";
}

/** Remembers the last events: in a Redis Cluster, and after a reconnect, an event may come twice. */
class Seen {
  readonly #known = new Set<string>();

  /** Whether an event came before. */
  before(event: LockEvent): boolean {
    if (!("cursor" in event) || event.cursor === undefined || event.type === "synced") return false;
    const name = `${event.type} ${event.cursor}`;
    if (this.#known.has(name)) return true;
    this.#known.add(name);
    if (this.#known.size > REMEMBERED) {
      const [oldest] = this.#known;
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    return false;
  }
}
