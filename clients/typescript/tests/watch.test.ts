/** The stream of events: how it is read, and how it is resumed. */

import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { Gorilla, type LockEvent, RefusedError } from "gorilla-client";
import { Messages } from "../dist/sse.js";
import { Fake, refusal } from "./support/fake.js";
import { client, eventually, Link, name, SERVER } from "./support/server.js";

/** A stream of the fake. */
function stream(...messages: Record<string, unknown>[]): (response: ServerResponse) => void {
  return (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("retry: 2000\n\n");
    for (const message of messages) {
      const id = message.cursor ? `id: ${message.cursor}\n` : "";
      response.write(`event: ${message.type}\n${id}data: ${JSON.stringify(message)}\n\n`);
    }
  };
}

const change = (type: string, cursor: string) => ({ type, cursor, resource: "a", at: "2026-11-27T18:10:46.430Z" });

async function take(events: AsyncGenerator<LockEvent>, count: number): Promise<string[]> {
  const taken: string[] = [];
  for await (const event of events) {
    taken.push("cursor" in event ? `${event.type} ${event.cursor}` : event.type);
    if (taken.length === count) break;
  }
  return taken;
}

test("messages are read as the standard says, in whatever pieces they come", () => {
  const text =
    ': comment\nretry: 2000\n\nevent: granted\nid: 1\ndata: {"a":\ndata: 1}\n\nevent: empty\n\r\ndata:x\r\n\r\nevent: last\rdata: é\r\r';
  for (const size of [1, 2, 3, 7, 1000]) {
    const messages = new Messages();
    const read = [];
    for (let at = 0; at < text.length; at += size) read.push(...messages.feed(text.slice(at, at + size)));
    // A carriage return at the end may be half of a line's end.
    read.push(...messages.feed("\n"));
    assert.deepEqual(
      read,
      [
        { type: "granted", data: '{"a":\n1}' },
        { type: "message", data: "x" },
        { type: "last", data: "é" },
      ],
      `in pieces of ${size}`,
    );
  }
});

test("changes are told, and the stream is resumed behind the last cursor, bookmarks included", async () => {
  await using fake = await Fake.serve((_, index) => {
    if (index === 0) {
      return stream(
        { type: "hello", resumed: false },
        { type: "state", resource: "a", held: false, waiting: 0 },
        { type: "synced", cursor: "e.1" },
        change("granted", "e.2"),
        { type: "bookmark", cursor: "e.3" },
        { type: "bye", reason: "draining" },
      );
    }
    // In a Cluster an event may come twice.
    return stream(
      { type: "hello", resumed: true },
      change("granted", "e.2"),
      { type: "missed", reason: "slow" },
      change("expired", "e.4.e"),
      change("granted", "e.4"),
    );
  });
  const gorilla = new Gorilla({ url: fake.url, apiKey: "k" });
  const options = {
    prefix: "a&b",
    resources: ["a", "b c"],
    owner: "me",
    types: ["granted", "expired"] as const,
    snapshot: true,
  };
  const taken = await take(gorilla.watch(options), 6);
  assert.deepEqual(taken, ["state", "synced e.1", "granted e.2", "missed", "expired e.4.e", "granted e.4"]);
  const [first, second] = fake.got;
  assert.equal(
    first?.url,
    "/api/v1/events?prefix=a%26b&resource=a&resource=b+c&owner=me&types=granted%2Cexpired&snapshot=1",
  );
  assert.equal(first?.headers.accept, "text/event-stream");
  assert.equal(first?.headers.authorization, "Bearer k");
  assert.ok(second?.url.endsWith("&since=e.3"));
});

test("a stream that breaks off, and a server that can't serve, are asked again", async () => {
  const reasons: string[] = [];
  await using fake = await Fake.serve((_, index) => {
    if (index === 0) return refusal(503, "overloaded");
    if (index === 1) return refusal(429, "too_many_listeners");
    return (response) => {
      stream(change("granted", `e.${index}`))(response);
      setTimeout(() => response.destroy(), 20);
    };
  });
  const gorilla = new Gorilla({
    url: fake.url,
    onEvent: (news) => news.event === "trouble" && reasons.push(news.reason),
  });
  assert.deepEqual(await take(gorilla.watch({ since: "e.0" }), 2), ["granted e.2", "granted e.3"]);
  assert.deepEqual(
    fake.got.map(({ url }) => url.slice(-3)),
    ["e.0", "e.0", "e.0", "e.2"],
  );
  assert.equal(reasons.length, 3);
});

test("what is refused, or not allowed any more, is an error", async () => {
  await using fake = await Fake.serve((_, index) => {
    return index === 0
      ? refusal(403, "insufficient_scope")
      : stream({ type: "hello" }, { type: "bye", reason: "rights" });
  });
  const gorilla = new Gorilla({ url: fake.url });
  for (const _ of [1, 2]) {
    await assert.rejects(
      take(gorilla.watch(), 1),
      (error) => error instanceof RefusedError && error.code === "insufficient_scope",
    );
  }
});

test("the signal, the end of the loop and close end the stream", async () => {
  let open = 0;
  await using fake = await Fake.serve(() => (response) => {
    open++;
    response.on("close", () => open--);
    stream(change("granted", "e.1"))(response);
  });
  const gorilla = new Gorilla({ url: fake.url });
  const controller = new AbortController();
  const watching = take(gorilla.watch({ signal: controller.signal }), 5);
  const closing = take(gorilla.watch(), 5);
  assert.deepEqual(await take(gorilla.watch(), 1), ["granted e.1"]);
  await eventually("two are open", () => open === 2);
  controller.abort();
  assert.deepEqual(await watching, ["granted e.1"]);
  await gorilla.close();
  assert.deepEqual(await closing, ["granted e.1"]);
  await eventually("none is open", () => open === 0);
  assert.deepEqual(await take(gorilla.watch(), 1), []);
});

test("a real server tells the changes of a lock, also over a connection that breaks", async () => {
  await using link = await Link.open();
  const { gorilla } = client();
  const watcher = client({ url: link.url });
  const resource = name("watched");
  const told: LockEvent[] = [];
  const controller = new AbortController();
  const options = { resources: [resource], snapshot: true, signal: controller.signal };
  const watching = (async () => {
    for await (const event of watcher.gorilla.watch(options)) told.push(event);
  })();
  const types = () => told.map(({ type }) => type);
  await eventually("the state is told", () => types().includes("synced"));
  assert.ok(types().includes("state"));

  const lock = await gorilla.acquire(resource);
  await eventually("the grant is told", () => types().includes("granted"));
  link.cut();
  await lock.release();
  await eventually("the release is told, behind the cursor", () => types().includes("released"), 30_000);
  await gorilla.acquire(resource, { ttlMs: 60_000 }).then(async ({ fence }) => {
    const body = JSON.stringify({ fence, reason: "a test" });
    const headers = { "content-type": "application/json" };
    await fetch(`${SERVER}/api/v1/locks/${resource}/break`, { method: "POST", headers, body });
  });
  await eventually("the break is told", () => types().includes("broken"), 30_000);
  controller.abort();
  await watching;
  const changes = told.filter(({ type }) => ["granted", "released", "broken"].includes(type));
  assert.deepEqual(
    changes.map(({ type }) => type),
    ["granted", "released", "granted", "broken"],
  );
  const [granted, , , broken] = changes;
  assert.ok(granted?.type === "granted" && granted.fence === lock.fence && granted.owner === lock.owner);
  assert.ok(broken?.type === "broken" && broken.reason === "a test");
});
