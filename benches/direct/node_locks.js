// Takes and releases locks with a library in a closed loop, and prints what it measured as a line of JSON.
//
// Arguments: redlock|redis-semaphore, and PORT own-locks|one-lock|semaphore CLIENTS WARM_UP_S MEASURED_S, as
// benches/src/programs.rs has them.
'use strict';

const { performance } = require('node:perf_hooks');
const { setTimeout: sleep } = require('node:timers/promises');
const Redis = require('ioredis');
const Redlock = require('redlock');
const { Mutex, Semaphore, TimeoutError } = require('redis-semaphore');

const LEASE_MS = 30_000;
// As in benches/contestants.toml.
const LIMIT = 100;

const [library, port, workload, clients, warmUp, measured] = process.argv.slice(2);
// One of warm-up, measured and over.
let phase = 'warm-up';
const waits = [];
let longest = 0;

// ioredis connects again for ever unless told otherwise, and an error without a listener ends nothing.
const fail = (error) => {
  console.error(`${library}: ${error.stack || error}`);
  process.exit(1);
};

// For each library: how a client gets its lock. `acquire` returns what releases the lock; `isRefusal` tells the error with
// which the library gives up after some tries.
const libraries = {
  redlock(redis) {
    const redlock = new Redlock([redis]);
    redlock.on('clientError', fail);
    return (resource) => ({
      async acquire() {
        const lock = await redlock.lock(resource, LEASE_MS);
        return () => lock.unlock();
      },
      isRefusal: (error) => error.name === 'LockError',
    });
  },
  'redis-semaphore': (redis) => (resource) => {
    const mutex =
      workload === 'semaphore'
        ? new Semaphore(redis, resource, LIMIT, { lockTimeout: LEASE_MS })
        : new Mutex(redis, resource, { lockTimeout: LEASE_MS });
    return {
      async acquire() {
        await mutex.acquire();
        return () => mutex.release();
      },
      isRefusal: (error) => error instanceof TimeoutError,
    };
  },
};

// Without `wait`, not to be granted a lock that nobody else wants is a failure. With it, who wants the lock asks again after
// the library has given up.
async function granted(client, wait) {
  for (;;) {
    try {
      return await client.acquire();
    } catch (error) {
      if (!wait || !client.isRefusal(error)) throw error;
    }
  }
}

async function closedLoop(client, wait) {
  while (phase !== 'over') {
    const asked = performance.now();
    const release = await granted(client, wait);
    const waited = (performance.now() - asked) / 1000;
    if (phase === 'measured') waits.push(waited);
    if (phase !== 'warm-up') longest = Math.max(longest, waited);
    await release();
  }
}

async function run() {
  const redis = new Redis({ host: '127.0.0.1', port: Number(port) });
  redis.on('error', fail);
  const clientOf = libraries[library](redis);
  const one = workload !== 'own-locks';
  const loops = [];
  for (let client = 0; client < Number(clients); client += 1) {
    loops.push(closedLoop(clientOf(one ? 'bench' : `bench-${client}`), one));
  }
  const ended = Promise.all(loops);
  ended.catch(fail);
  await sleep(Number(warmUp) * 1000);
  const [usedBefore, begun] = [process.cpuUsage(), performance.now()];
  phase = 'measured';
  await sleep(Number(measured) * 1000);
  const [used, elapsed] = [process.cpuUsage(usedBefore), (performance.now() - begun) / 1000];
  phase = 'over';
  await ended;
  await redis.quit();
  waits.sort((one, other) => one - other);
  const percentile = (percent) => waits[Math.floor((waits.length * percent) / 100)] ?? 0;
  console.log(
    JSON.stringify({
      cycles_per_s: waits.length / elapsed,
      p50_us: percentile(50) * 1e6,
      p99_us: percentile(99) * 1e6,
      longest_us: longest * 1e6,
      // A cycle is two requests.
      load_cpu_us: waits.length && (used.user + used.system) / waits.length / 2,
      load_busy_percent: (used.user + used.system) / 1e4 / elapsed,
    }),
  );
}

run().catch(fail);
