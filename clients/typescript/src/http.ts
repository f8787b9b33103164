/** Sends a request once, and says what its answer means. */

import type { Clock } from "./clock.js";
import type { Busy } from "./errors.js";
import { LockLostError, RefusedError, UnavailableError, UnknownError } from "./errors.js";
import type { Code } from "./generated/codes.js";
import type { ErrorBody } from "./generated/wire.js";

/** How long an answer may take, beside the time that the request waits for the lock. The server gives Redis a second. */
export const ANSWER_MS = 3000;

/** A request. With the same key each time it is safe to send it again. */
export interface Request {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** The part of the URL behind the address of the server. */
  readonly path: string;
  readonly token?: string;
  readonly key?: string;
  readonly body?: unknown;
  /** How long the whole answer may take. */
  readonly timeoutMs: number;
}

/** A request that the server has executed. */
export interface Done {
  /** When the client sent it. */
  readonly sent: number;
  readonly body: unknown;
  readonly requestId: string | null;
}

/** No answer, or an answer after which the client should try again. */
export class Trouble extends Error {
  constructor(
    message: string,
    /** Whether the request may have been executed. */
    readonly inDoubt: boolean,
    readonly requestId: string | null = null,
    /** How long the client should pause, if the server says so. */
    readonly afterMs: number = 0,
  ) {
    super(message);
  }

  /** What it means to the caller if no further attempt is made. */
  verdict(): UnknownError | UnavailableError {
    return this.inDoubt
      ? new UnknownError(this.message, this.requestId)
      : new UnavailableError(this.message, this.requestId);
  }
}

/** A request that the server has not executed, and would not execute if the client sent it again. */
export class Refusal extends Error {
  constructor(
    readonly body: ErrorBody,
    readonly requestId: string | null,
    /** When the client sent it. */
    readonly sent: number,
  ) {
    super(body.errorMessage.replace(/\.$/, ""));
  }

  /** A code of this version or of a later one. */
  get code(): Code | (string & {}) {
    return this.body.code;
  }

  /** Whether it says that the grant of the token has ended. */
  get ended(): boolean {
    return (["lock_not_found", "token_not_found", "token_mismatch", "lock_gone"] as string[]).includes(this.code);
  }

  verdict(): RefusedError {
    return new RefusedError(this.code, this.message, this.body.field ?? null, this.requestId);
  }

  /** What it means to a client that had the lock. */
  lost(resource: string): LockLostError | RefusedError {
    return this.ended ? new LockLostError(resource, "ended", this.message, this.requestId) : this.verdict();
  }

  /** Who or what is in the way. */
  busy(resource: string): Busy {
    const { owner, fence, ttlMs, used, limit, holderCount, position, waiting } = this.body;
    return {
      resource: this.body.resource ?? resource,
      holder: owner !== undefined && fence !== undefined && ttlMs !== undefined ? { owner, fence, ttlMs } : null,
      sharing: used !== undefined && holderCount !== undefined ? { used, limit: limit ?? null, holderCount } : null,
      position: position ?? null,
      waiting: waiting ?? 0,
    };
  }
}

/** What a client needs to reach its server. */
export interface Way {
  /** The address of the server, without a slash at its end. */
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /** How long to send a request again while the server can't be reached or can't serve. */
  readonly patienceMs: number;
  /** Whether the server is one of 0.1, which gives a lock another token with each renewal. */
  rotates: boolean;
}

/** The headers of a request to this server. */
export function headersOf(way: Way, request: Pick<Request, "token" | "key">): Headers {
  const headers = new Headers();
  if (way.apiKey !== undefined) headers.set("authorization", `Bearer ${way.apiKey}`);
  if (request.token !== undefined) headers.set("lock-token", request.token);
  if (request.key !== undefined) headers.set("idempotency-key", request.key);
  return headers;
}

/** Sends a request once. Throws a `Trouble`, a `Refusal`, or the reason of the signal, which hangs up. */
export async function exchange(way: Way, request: Request, signal?: AbortSignal): Promise<Done> {
  signal?.throwIfAborted();
  const headers = headersOf(way, request);
  const init: RequestInit = { method: request.method, headers, redirect: "manual" };
  if (request.body !== undefined) {
    headers.set("content-type", "application/json");
    init.body = JSON.stringify(request.body);
  }
  const hangUp = new AbortController();
  init.signal = hangUp.signal;
  const cancel = () => hangUp.abort(signal?.reason);
  signal?.addEventListener("abort", cancel);
  const timer = setTimeout(() => hangUp.abort(), Math.max(0, Math.ceil(request.timeoutMs)));
  const sent = way.clock.now();
  try {
    const response = await way.fetch(way.url + request.path, init);
    if (response.type === "opaqueredirect" || (response.status >= 300 && response.status < 400)) {
      await response.body?.cancel();
      throw redirected(way, response);
    }
    const text = await response.text();
    return judge(way, sent, response.status, parse(text), {
      requestId: response.headers.get("x-request-id"),
      retryAfter: Number(response.headers.get("retry-after") ?? 0),
    });
  } catch (error) {
    if (error instanceof Trouble || error instanceof Refusal || error instanceof RefusedError) throw error;
    if (signal?.aborted) throw signal.reason;
    if (hangUp.signal.aborted) throw new Trouble(`${way.url} did not answer in time`, true);
    throw new Trouble(`${way.url} can't be reached (${innermost(error)})`, !neverConnected(error));
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
  }
}

/** What an answer means, or an item of the answer to a batch. */
export function judge(
  way: Way,
  sent: number,
  status: number,
  body: unknown,
  { requestId = null, retryAfter = 0 }: { requestId?: string | null; retryAfter?: number },
): Done {
  if (status >= 200 && status < 300) return { sent, body, requestId };
  // A proxy or load balancer may answer instead of Gorilla, and does not know whether the request was executed.
  const said: ErrorBody = isErrorBody(body)
    ? body
    : { code: "", outcome: "unknown", errorMessage: `${way.url} answers ${status}, which is not an answer of Gorilla` };
  const passing = status >= 500 || status === 429 || status === 408 || status === 425;
  if (!passing) throw new Refusal(said, requestId, sent);
  const inDoubt = status >= 500 && said.outcome !== "not_executed";
  throw new Trouble(
    said.errorMessage.replace(/\.$/, ""),
    inDoubt,
    requestId,
    Number.isFinite(retryAfter) ? retryAfter * 1000 : 0,
  );
}

function redirected(way: Way, response: Response): RefusedError {
  const message = `${way.url} answers with a redirect, which this client doesn't follow: the token must not go elsewhere`;
  return new RefusedError("redirect", message, null, response.headers.get("x-request-id"));
}

function isErrorBody(body: unknown): body is ErrorBody {
  const { code, errorMessage } = (body ?? {}) as Partial<ErrorBody>;
  return typeof code === "string" && typeof errorMessage === "string";
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The innermost cause says what is wrong; the outer ones say that fetching failed. */
function innermost(error: unknown): string {
  let cause = error as { cause?: unknown; code?: unknown; message?: unknown };
  while (cause?.cause) cause = cause.cause as typeof cause;
  return String(cause?.code ?? cause?.message ?? cause);
}

/** What the runtimes call it if no connection was opened. Node.js has codes and a text, Bun names, Deno a text. */
const NO_CONNECTION =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|ConnectionRefused|FailedToOpenSocket|bad port)$|client error \(Connect\)/;

function neverConnected(error: unknown): boolean {
  for (let cause = error; cause; cause = (cause as { cause?: unknown }).cause) {
    const { code, message } = cause as { code?: unknown; message?: unknown };
    if (NO_CONNECTION.test(String(code)) || NO_CONNECTION.test(String(message))) return true;
  }
  return false;
}
