/** Jobs that run once, leaders, and the schedulers that start them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Cron } from "croner";
import { type LockLostError, lossOf, NotAcquiredError, SKIPPED } from "gorilla-client";
import { runCoordinator } from "gorilla-client/node-cron";
import cron from "node-cron";
import { aborted, client, events, eventually, Link, name, sleep } from "./support/server.js";

test("a job made by once runs on one machine, and is skipped on the others", async () => {
  const job = name("job");
  let runs = 0;
  const machines = [1, 2, 3].map(() => {
    return client().gorilla.once(job, { atLeastMs: 2000 }, async (text: string) => {
      runs++;
      await sleep(50);
      return text;
    });
  });
  // The clock of the last machine is behind.
  const answers = await Promise.all(machines.map((run, index) => sleep(index * 100).then(() => run("done"))));
  assert.deepEqual(answers, ["done", SKIPPED, SKIPPED]);
  assert.equal(runs, 1);
});

test("a job that fails tells its own error, also if it is about another lock", async () => {
  const { gorilla } = client();
  await using busy = await gorilla.acquire(name());
  const job = gorilla.once(name("job"), {}, () => gorilla.acquire(busy.resource));
  await assert.rejects(job(), NotAcquiredError);
});

test("one leads, and when it resigns the next one leads with a larger term", async () => {
  const election = name("election");
  const terms: number[] = [];
  const [first, second] = [client().gorilla, client().gorilla];
  const one = first.elect(election, { ttlMs: 2000 }, async (leader, lost) => {
    terms.push(leader.term);
    assert.ok(leader.held && !lost.aborted && leader.fence === leader.term);
    await eventually("the other waits", async () => (await first.state(election)).waiting === 1);
    leader.check();
    return "resigned";
  });
  await eventually("the first leads", () => terms.length === 1);
  const two = second.elect(election, (leader) => {
    terms.push(leader.term);
    return 7;
  });
  assert.deepEqual(await Promise.all([one, two]), ["resigned", 7]);
  assert.ok((terms[0] ?? 0) < (terms[1] ?? 0));
});

test("a leader that loses the lead campaigns again when its work has ended, not before", async () => {
  await using link = await Link.open();
  const { gorilla, news } = client({ url: link.url });
  const election = name("election");
  let working = 0;
  const terms: number[] = [];
  const term = await gorilla.elect(election, { ttlMs: 900 }, async (leader, lost) => {
    assert.equal(++working, 1, "one work at a time");
    terms.push(leader.term);
    if (terms.length === 1) {
      link.passes = false;
      await aborted(lost);
      assert.equal(leader.held, false);
      link.passes = true;
      link.cut();
      // It goes on for a while, although it was told to stop.
      await sleep(300);
      assert.equal(events(news).filter((event) => event === "acquired").length, 1);
      working--;
      throw lost.reason as LockLostError;
    }
    working--;
    return leader.term;
  });
  assert.equal(term, terms[1]);
  assert.ok(terms.length === 2 && (terms[0] ?? 0) < term);
});

test("a leader whose work fails resigns, and elect fails with the same error", async () => {
  const { gorilla } = client();
  const election = name("election");
  const failure = new Error("the work failed");
  const work = gorilla.elect(election, () => Promise.reject(failure));
  await assert.rejects(work, (error) => error === failure && lossOf(error) === undefined);
  assert.equal((await gorilla.state(election)).held, false);
});

test("the signal ends a campaign, and a term", async () => {
  const { gorilla } = client();
  const election = name("election");
  const [leads, waits] = [new AbortController(), new AbortController()];
  let stopped = false;
  const leader = gorilla.elect(election, { signal: leads.signal }, async (_leader, lost) => {
    await aborted(lost);
    stopped = true;
  });
  await eventually("it leads", async () => (await gorilla.state(election)).held);
  const candidate = gorilla.elect(election, { signal: waits.signal }, () => assert.fail("it never leads"));
  await eventually("the other waits", async () => (await gorilla.state(election)).waiting === 1);
  waits.abort(new Error("no candidate any more"));
  await assert.rejects(candidate, /no candidate/);
  leads.abort(new Error("no leader any more"));
  await assert.rejects(leader, /no leader/);
  assert.ok(stopped);
  // The candidate that was cancelled may have been granted the lock, and then gives it back.
  await eventually("nobody leads", async () => !(await gorilla.state(election)).held);
});

test("node-cron runs a job on one machine by the run coordinator", async () => {
  const job = name("cron");
  const runs: number[] = [];
  let skipped = 0;
  const [a, b] = [client(), client()];
  const tasks = [a, b].map(({ gorilla }, machine) => {
    const task = cron.schedule("* * * * * *", () => void runs.push(machine), {
      name: job,
      distributed: true,
      runCoordinator: runCoordinator(gorilla, { prefix: `${job}:`, atLeastMs: 700 }),
    });
    task.on("execution:skipped", ({ reason }) => {
      if (reason === "not-elected") skipped++;
    });
    return task;
  });
  const begun = performance.now();
  await eventually("three runs", () => runs.length >= 3, 20_000);
  const seconds = (performance.now() - begun) / 1000;
  await Promise.all(tasks.map((task) => task.destroy()));
  assert.ok(runs.length <= seconds + 1, `${runs.length} runs in ${seconds} s`);
  assert.ok(skipped >= 2);
  assert.ok(events(a.news).includes("released") || events(b.news).includes("released"));
});

test("a coordinator that can't reach the server runs nothing", async () => {
  const { gorilla } = client({ url: "http://127.0.0.1:1", patienceMs: 100 });
  let reason: string | undefined;
  const task = cron.schedule("* * * * * *", () => assert.fail("it must not run"), {
    name: name("cron"),
    distributed: true,
    logger: { info() {}, warn() {}, error() {}, debug() {} },
    runCoordinator: runCoordinator(gorilla),
  });
  task.on("execution:skipped", (context) => {
    reason = context.reason;
  });
  await eventually("a run is skipped", () => reason !== undefined);
  await task.destroy();
  assert.equal(reason, "coordinator-error");
});

test("croner runs a job made by once on one machine", async () => {
  const job = name("croner");
  let runs = 0;
  const jobs = [client(), client()].map(({ gorilla }) => {
    const once = gorilla.once(job, { atLeastMs: 700 }, () => void runs++);
    return new Cron("* * * * * *", async () => void (await once()));
  });
  const begun = performance.now();
  await eventually("three runs", () => runs >= 3, 20_000);
  for (const running of jobs) running.stop();
  const seconds = (performance.now() - begun) / 1000;
  assert.ok(runs <= seconds + 1, `${runs} runs in ${seconds} s`);
});
