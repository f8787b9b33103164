/** The server that the tests use, and ways to break the path to it. */

import { connect, createServer, type Socket } from "node:net";
import { Gorilla, type GorillaOptions, type LockNews } from "gorilla-client";

/** The address of a real server: the script `test` starts one. */
export const SERVER: string = process.env.GORILLA_URL ?? missing();

function missing(): never {
  throw new Error("GORILLA_URL is the address of a server: run clients/typescript/test");
}

let count = 0;
/** A name that no other test uses. */
export function name(of = "lock"): string {
  return `ts-${of}-${process.pid}-${process.hrtime.bigint()}-${count++}`;
}

/** A client of the real server, and what it tells. */
export function client(options: GorillaOptions = {}): { gorilla: Gorilla; news: LockNews[] } {
  const news: LockNews[] = [];
  return { gorilla: new Gorilla({ url: SERVER, onEvent: (event) => news.push(event), ...options }), news };
}

/** The names of what was told. */
export function events(news: readonly LockNews[]): string[] {
  return news.map(({ event }) => event);
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until something is true. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  ms = 15_000,
): Promise<void> {
  const until = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > until) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(20);
  }
}

/** Waits until a signal is aborted. Keeps the process alive meanwhile, as a lock doesn't. */
export async function aborted(signal: AbortSignal, ms = 15_000): Promise<void> {
  await eventually("the signal is aborted", () => signal.aborted, ms);
}

/** A link to the real server that can break. */
export class Link implements AsyncDisposable {
  /** Whether bytes pass; connections stay open otherwise. */
  passes = true;
  #sockets = new Set<Socket>();
  readonly #server = createServer((client) => {
    const { hostname, port } = new URL(SERVER);
    const server = connect(Number(port), hostname);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.on("data", (bytes) => this.passes && to.write(bytes));
      from.on("error", () => {});
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  });

  static async open(): Promise<Link> {
    const link = new Link();
    await new Promise<void>((resolve) => link.#server.listen(0, "127.0.0.1", resolve));
    return link;
  }

  get url(): string {
    const address = this.#server.address();
    if (typeof address !== "object" || !address) throw new Error("the link does not listen");
    return `http://127.0.0.1:${address.port}`;
  }

  /** Ends the connections that are open. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
