/** Lost answers, refusals and strange servers, played by a fake. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Gorilla,
  LockLostError,
  type LockNews,
  NotAcquiredError,
  RefusedError,
  UnavailableError,
  UnknownError,
} from "gorilla-client";
import { systemClock } from "../dist/clock.js";
import { drop, Fake, hang, lock, refusal } from "./support/fake.js";
import { events, eventually, sleep } from "./support/server.js";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** A client of the fake, what it tells, and how to move its clock: to the next renewal, so that no test waits for that. */
function clientOf(fake: Fake, patienceMs = 1500): { gorilla: Gorilla; news: LockNews[]; toRenewal: () => void } {
  const news: LockNews[] = [];
  let ahead = 0;
  const clock = { now: () => systemClock.now() + ahead };
  const toRenewal = () => {
    ahead += 11_000;
  };
  return {
    gorilla: new Gorilla({ url: fake.url, patienceMs, clock, owner: "me", onEvent: (event) => news.push(event) }),
    news,
    toRenewal,
  };
}

test("an acquire whose answer is lost is sent again with the same key", async () => {
  await using fake = await Fake.serve(({ method }, index) => {
    if (method === "DELETE") return { status: 204 };
    return index === 0 ? drop : lock();
  });
  const { gorilla, news } = clientOf(fake);
  const held = await gorilla.acquire("orders", { metadata: { job: 1 } });
  assert.equal(await held.release(), true);
  const [first, second, last] = fake.got;
  assert.match(first?.key ?? "", UUID);
  assert.equal(second?.key, first?.key);
  assert.deepEqual(first?.body, { owner: "me", timeout: 30, metadata: { job: 1 } });
  assert.deepEqual(second?.body, first?.body);
  assert.notEqual(last?.key, first?.key);
  assert.equal(last?.token, "T1");
  assert.equal(last?.url, "/api/v1/locks/orders");
  assert.deepEqual(events(news), ["trouble", "acquired", "released"]);
});

test("a renewal whose answer is lost is sent again with the same key, and its token is taken", async () => {
  let puts = 0;
  await using fake = await Fake.serve(({ method }) => {
    if (method === "POST") return lock();
    if (method === "DELETE") return { status: 204 };
    return puts++ === 0 ? drop : lock({ token: "T2" });
  });
  const { gorilla, news, toRenewal } = clientOf(fake);
  const held = await gorilla.acquire("orders");
  toRenewal();
  await eventually("it is renewed", () => events(news).includes("renewed"));
  await held.release();
  const [first, second] = fake.of("PUT");
  assert.equal(first?.key, second?.key);
  assert.equal(second?.token, "T1");
  assert.equal(fake.got.at(-1)?.method, "DELETE");
  assert.equal(fake.got.at(-1)?.token, "T2");
});

test("a release while a renewal is in doubt waits for the newest token", async () => {
  let puts = 0;
  await using fake = await Fake.serve(({ method }) => {
    if (method === "POST") return lock();
    if (method === "DELETE") return { status: 204 };
    return puts++ === 0 ? hang : lock({ token: "T2" });
  });
  const { gorilla, toRenewal } = clientOf(fake, 5000);
  const held = await gorilla.acquire("orders");
  toRenewal();
  await eventually("the renewal is sent", () => fake.of("PUT").length === 1);
  await held.release();
  assert.deepEqual(
    fake.got.map(({ method, token }) => [method, token]),
    [
      ["POST", undefined],
      ["PUT", "T1"],
      ["PUT", "T1"],
      ["DELETE", "T2"],
    ],
  );
});

test("doubt outlives later refusals to serve", async () => {
  await using fake = await Fake.serve((_, index) => {
    return index === 0 ? refusal(504, "outcome_unknown", { outcome: "unknown" }) : refusal(503, "redis_unavailable");
  });
  const { gorilla } = clientOf(fake, 400);
  await assert.rejects(
    gorilla.acquire("orders"),
    (error) => error instanceof UnknownError && error.requestId === "req-1",
  );
  assert.ok(fake.got.length > 1);
  assert.equal(new Set(fake.got.map(({ key }) => key)).size, 1);
});

test("a server that can't serve is unavailable, and nothing was done", async () => {
  await using fake = await Fake.serve(() => refusal(503, "redis_unavailable"));
  await assert.rejects(clientOf(fake, 300).gorilla.acquire("orders"), UnavailableError);
  const gone = await Fake.serve(() => lock());
  const { url } = gone;
  await gone[Symbol.asyncDispose]();
  // The second is a port to which no browser connects, and so no fetch.
  for (const gorilla of [
    new Gorilla({ url, patienceMs: 200 }),
    new Gorilla({ url: "http://127.0.0.1:1", patienceMs: 200 }),
  ]) {
    await assert.rejects(
      gorilla.acquire("orders"),
      (error) => error instanceof UnavailableError && error.requestId === null,
    );
  }
});

test("the page of a load balancer leaves doubt, and is no answer", async () => {
  await using fake = await Fake.serve(() => (response) => {
    response.writeHead(502, { "content-type": "text/html" }).end("<h1>Bad gateway</h1>");
  });
  await assert.rejects(clientOf(fake, 300).gorilla.acquire("orders"), UnknownError);
  await using half = await Fake.serve((_, index) => (response) => {
    const text = JSON.stringify(lock().body);
    response.writeHead(200, { "content-length": text.length });
    response.write(index === 0 ? text.slice(0, 40) : text);
    if (index === 0) setTimeout(() => response.destroy(), 20);
    else response.end();
  });
  const { gorilla } = clientOf(half);
  assert.equal((await gorilla.acquire("orders")).fence, 1795426110645374);
  assert.equal(half.got[0]?.key, half.got[1]?.key);
});

test("a redirect is refused, and nothing is sent to where it leads", async () => {
  await using elsewhere = await Fake.serve(() => lock());
  await using fake = await Fake.serve(() => ({
    status: 302,
    headers: { location: `${elsewhere.url}/api/v1/locks/orders` },
  }));
  const { gorilla } = clientOf(fake);
  await assert.rejects(
    gorilla.acquire("orders"),
    (error) => error instanceof RefusedError && error.code === "redirect",
  );
  assert.equal(fake.got.length, 1);
  assert.equal(elsewhere.got.length, 0);
});

test("waits go in pieces, with one key, and shorter where the server allows only short ones", async () => {
  await using fake = await Fake.serve(({ body, method }, index) => {
    if (method === "DELETE") return { status: 204 };
    if (body.wait > 0.3) return refusal(400, "invalid_request", { field: "wait" });
    return index < 6
      ? refusal(409, "wait_timeout", { owner: "x", fence: 7, ttlMs: 5, position: 2, waiting: 3 })
      : lock();
  });
  const { gorilla, news } = clientOf(fake);
  await gorilla.acquire("orders", { waitMs: 300_000 });
  const waits = fake.got.map(({ body }) => body.wait);
  assert.deepEqual(waits, [1, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25]);
  assert.equal(new Set(fake.got.map(({ key }) => key)).size, 1);
  const [waiting] = news;
  assert.ok(
    waiting?.event === "waiting" && waiting.position === 2 && waiting.waiting === 3 && waiting.holder?.owner === "x",
  );
});

test("a grant that has ended before its answer came is asked for anew", async () => {
  await using fake = await Fake.serve((_, index) => (index === 0 ? refusal(409, "lock_gone") : lock()));
  const { gorilla } = clientOf(fake);
  await gorilla.acquire("orders");
  assert.notEqual(fake.got[0]?.key, fake.got[1]?.key);
});

test("a lock is handed out with most of its lease: it is renewed first", async () => {
  await using fake = await Fake.serve(({ method }) =>
    method === "POST" ? lock({ ttlMs: 20_000 }) : lock({ token: "T2" }),
  );
  const { gorilla, news } = clientOf(fake);
  const held = await gorilla.acquire("orders");
  assert.deepEqual(
    fake.got.map(({ method }) => method),
    ["POST", "PUT"],
  );
  assert.ok(held.leftMs > 20_000);
  assert.deepEqual(events(news), ["acquired"]);
  // What was waited for in the queue doesn't count against the lease.
  await using other = await Fake.serve(() => lock({ waitedMs: 200 }));
  const waited = await clientOf(other).gorilla.acquire("orders", { waitMs: 1000 });
  assert.ok(waited.leftMs > 22_000);
  assert.equal(other.got.length, 1);
});

test("an acquire that is cancelled is undone, also where nobody tells the server", async () => {
  const controller = new AbortController();
  await using fake = await Fake.serve(({ method, body }) => {
    if (method === "DELETE") return { status: 204 };
    if (body.wait) {
      controller.abort(new Error("cancelled"));
      return hang;
    }
    return lock({ token: "granted meanwhile" });
  });
  const { gorilla, news } = clientOf(fake);
  await assert.rejects(gorilla.acquire("orders", { waitMs: 60_000, signal: controller.signal }), /cancelled/);
  await gorilla.close();
  const [first, again, release] = fake.got;
  assert.equal(again?.key, first?.key);
  assert.deepEqual(again?.body, { owner: "me", timeout: 30 });
  assert.deepEqual([release?.method, release?.token], ["DELETE", "granted meanwhile"]);
  assert.deepEqual(events(news), []);
});

test("a signal that is aborted already sends nothing", async () => {
  await using fake = await Fake.serve(() => lock());
  const { gorilla } = clientOf(fake);
  await assert.rejects(gorilla.acquire("orders", { signal: AbortSignal.abort(new Error("before")) }), /before/);
  await gorilla.close();
  assert.equal(fake.got.length, 0);
});

test("a release that nobody confirms is told, and no error", async () => {
  await using fake = await Fake.serve(({ method }) => (method === "POST" ? lock() : refusal(503, "redis_unavailable")));
  const { gorilla, news } = clientOf(fake, 300);
  assert.equal(await gorilla.using("orders", () => "done"), "done");
  assert.deepEqual(events(news), ["acquired", "not_released"]);
  assert.equal(new Set(fake.of("DELETE").map(({ key }) => key)).size, 1);
});

test("a release that finds no lock is a loss", async () => {
  await using fake = await Fake.serve(({ method }) => (method === "POST" ? lock() : refusal(404, "lock_not_found")));
  const { gorilla, news } = clientOf(fake);
  await assert.rejects(
    gorilla.using("orders", () => {}),
    (error) => error instanceof LockLostError && error.reason === "ended",
  );
  assert.deepEqual(events(news), ["acquired", "lost"]);
});

test("a server of 0.1 is renewed without the field that it doesn't know", async () => {
  await using fake = await Fake.serve(({ method, body }) => {
    if (method === "POST") return lock();
    if (method === "DELETE") return { status: 204 };
    return "rotate" in body ? refusal(400, "invalid_request", { field: "rotate" }) : lock({ token: "T2" });
  });
  const { gorilla, news, toRenewal } = clientOf(fake);
  const held = await gorilla.acquire("orders");
  toRenewal();
  await eventually("it is renewed", () => events(news).includes("renewed"));
  await held.release();
  assert.equal(fake.got.at(-1)?.token, "T2");
});

test("a server that knows no batches is asked for each lock", async () => {
  await using fake = await Fake.serve(({ method, url }) => {
    if (url === "/api/v1/batch") return refusal(404, "not_found");
    if (method === "DELETE") return { status: 204 };
    return lock();
  });
  const { gorilla, news, toRenewal } = clientOf(fake);
  const locks = await Promise.all(["a", "b", "c"].map((resource) => gorilla.acquire(resource)));
  toRenewal();
  await eventually("all are renewed", () => events(news).filter((event) => event === "renewed").length >= 3);
  toRenewal();
  await eventually("all are renewed twice", () => events(news).filter((event) => event === "renewed").length >= 6);
  assert.ok(locks.every((held) => held.held));
  await gorilla.close();
  assert.equal(
    fake.got.filter(({ url, body }) => url === "/api/v1/batch" && body.operations[0].op === "extend").length,
    1,
  );
  assert.equal(fake.of("DELETE").length, 3);
});

test("an item of a batch that was refused ends that lock alone", async () => {
  await using fake = await Fake.serve(({ method, url, body }) => {
    if (url !== "/api/v1/batch")
      return method === "DELETE" ? { status: 204 } : lock({ resource: url.split("/").at(-1) });
    if (body.operations[0].op === "release")
      return {
        status: 200,
        body: {
          ok: 2,
          failed: 0,
          unknown: 0,
          results: [
            { index: 0, status: 204 },
            { index: 1, status: 204 },
          ],
        },
      };
    const index = body.operations.findIndex(({ resource }: { resource: string }) => resource === "b");
    const failed = { index, status: 404, body: refusal(404, "lock_not_found").body };
    const results = index < 0 ? [] : [failed];
    return {
      status: 200,
      body: { ok: body.operations.length - results.length, failed: results.length, unknown: 0, results },
    };
  });
  const { gorilla, news, toRenewal } = clientOf(fake);
  const [a, b, c] = await Promise.all(["a", "b", "c"].map((resource) => gorilla.acquire(resource)));
  toRenewal();
  await eventually("b is lost", () => events(news).includes("lost"));
  await eventually("the others are renewed", () => events(news).filter((event) => event === "renewed").length >= 2);
  toRenewal();
  await eventually(
    "the others are renewed twice",
    () => events(news).filter((event) => event === "renewed").length >= 4,
  );
  assert.deepEqual([a?.held, b?.held, c?.held], [true, false, true]);
  const [batch] = fake.got.filter(({ url }) => url === "/api/v1/batch");
  assert.deepEqual(batch?.body.operations[0], {
    op: "extend",
    resource: "a",
    token: "T1",
    timeout: 30,
    rotate: false,
  });
  assert.equal(batch?.body.brief, true);
  await gorilla.close();
});

test("what a listener throws ends no lock", async () => {
  await using fake = await Fake.serve(({ method }) => (method === "DELETE" ? { status: 204 } : lock()));
  const gorilla = new Gorilla({
    url: fake.url,
    onEvent: () => {
      throw new Error("a listener");
    },
  });
  assert.equal(await gorilla.using("orders", () => "done"), "done");
});

test("the API key goes along with each request, and its refusal is told", async () => {
  await using fake = await Fake.serve(() => refusal(401, "invalid_key"));
  const gorilla = new Gorilla({ url: `${fake.url}/`, apiKey: "secret" });
  await assert.rejects(
    gorilla.acquire("orders"),
    (error) => error instanceof RefusedError && error.code === "invalid_key",
  );
  assert.equal(fake.got[0]?.headers.authorization, "Bearer secret");
});

test("a wait ends in time although the server is silent", async () => {
  await using fake = await Fake.serve(() => hang);
  const { gorilla } = clientOf(fake);
  const begun = performance.now();
  await assert.rejects(gorilla.acquire("orders", { waitMs: 500 }), UnknownError);
  assert.ok(performance.now() - begun < 4000);
  await using busy = await Fake.serve(() => refusal(409, "wait_timeout"));
  await assert.rejects(clientOf(busy).gorilla.acquire("orders", { waitMs: 50 }), NotAcquiredError);
  await sleep(1);
});
