/** A server that does as a test says. */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

/** A request that the fake has got. */
export interface Got {
  readonly method: string;
  readonly url: string;
  readonly token: string | undefined;
  readonly key: string | undefined;
  readonly headers: IncomingMessage["headers"];
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it sent
  readonly body: any;
}

/** What the fake does with a request: an answer, or something of its own with the response. */
export type Reaction =
  | { status: number; body?: unknown; headers?: Record<string, string> }
  | ((response: ServerResponse) => void);

/** A lock as an answer of the server. */
export function lock(fields: Record<string, unknown> = {}): { status: number; body: unknown } {
  const now = new Date().toISOString();
  const body = {
    id: "01a207bc-4cb5-75c8-b04d-e6e049346456",
    owner: "me",
    resource: "orders",
    token: "T1",
    timeout: 30,
    metadata: [],
    createdAt: now,
    updatedAt: now,
    expireAt: now,
    fence: 1795426110645374,
    ttlMs: 30_000,
    ...fields,
  };
  return { status: 200, body };
}

/** A refusal of the server. */
export function refusal(
  status: number,
  code: string,
  fields: Record<string, unknown> = {},
): { status: number; body: unknown } {
  return { status, body: { errorMessage: `This is ${code}.`, code, outcome: "not_executed", ...fields } };
}

/** The connection ends without an answer. */
export const drop = (response: ServerResponse): void => void response.destroy();
/** There is no answer, and the connection stays open. */
export const hang = (): void => {};

export class Fake implements AsyncDisposable {
  readonly got: Got[] = [];

  private constructor(
    private readonly react: (got: Got, index: number) => Reaction,
    private readonly server = createServer((request, response) => void this.#serve(request, response)),
  ) {}

  /** Begins to serve. The reaction is told which request it is, counted from 0. */
  static async serve(react: (got: Got, index: number) => Reaction): Promise<Fake> {
    const fake = new Fake(react);
    await new Promise<void>((resolve) => fake.server.listen(0, "127.0.0.1", resolve));
    return fake;
  }

  get url(): string {
    const address = this.server.address();
    if (typeof address !== "object" || !address) throw new Error("the fake does not listen");
    return `http://127.0.0.1:${address.port}`;
  }

  /** The requests with this method. */
  of(method: string): Got[] {
    return this.got.filter((got) => got.method === method);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const piece of request) text += piece;
    const { method = "", url = "", headers } = request;
    const header = (name: string) => headers[name] as string | undefined;
    const body = text ? JSON.parse(text) : undefined;
    const got = { method, url, headers, body, token: header("lock-token"), key: header("idempotency-key") };
    const reaction = this.react(got, this.got.push(got) - 1);
    if (typeof reaction === "function") return reaction(response);
    const answer = reaction.body === undefined ? "" : JSON.stringify(reaction.body);
    response.writeHead(reaction.status, {
      "content-type": "application/json",
      "x-request-id": "req-1",
      ...reaction.headers,
    });
    response.end(answer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
