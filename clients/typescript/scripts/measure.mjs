// Measures the size of the client in a bundle, and what `using` costs above the two requests that it makes. Needs a server at
// GORILLA_URL: ../../tests/with-server node clients/typescript/scripts/measure.mjs
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { Gorilla } from "../dist/index.js";

const { outputFiles } = await build({
  entryPoints: [new URL("../dist/index.js", import.meta.url).pathname],
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  write: false,
});
const [{ contents }] = outputFiles;
console.log(`bundle: ${contents.length} bytes minified, ${gzipSync(contents, { level: 9 }).length} with gzip`);

const gorilla = new Gorilla();
const url = `${gorilla.url}/api/v1/locks/measure-${process.pid}`;
const headers = { "content-type": "application/json" };

async function bare() {
  const body = JSON.stringify({ owner: "measure", timeout: 30 });
  const key = { "idempotency-key": crypto.randomUUID() };
  const lock = await fetch(url, { method: "POST", headers: { ...headers, ...key }, body }).then((answer) =>
    answer.json(),
  );
  const release = { "lock-token": lock.token, "idempotency-key": crypto.randomUUID() };
  await fetch(url, { method: "DELETE", headers: release }).then((answer) => answer.text());
}
const using = () => gorilla.using(`measure-${process.pid}`, () => {});

/** Microseconds for one, the fastest of many rounds in turns, so that what else the machine does falls out. */
const fastest = new Map();
for (let round = 0; round < 200; round++) {
  for (const work of [bare, using]) {
    const [begun, cpu] = [performance.now(), process.cpuUsage()];
    for (let count = 0; count < 20; count++) await work();
    const { user, system } = process.cpuUsage(cpu);
    const [time, processor] = [((performance.now() - begun) / 20) * 1000, (user + system) / 20];
    const best = fastest.get(work) ?? { time, processor };
    fastest.set(work, { time: Math.min(best.time, time), processor: Math.min(best.processor, processor) });
  }
}
const [one, other] = [fastest.get(bare), fastest.get(using)];
const line = ({ time, processor }) => `${time.toFixed(0)} µs, of which ${processor.toFixed(0)} µs of this process`;
console.log(`two bare requests: ${line(one)}`);
console.log(`using:             ${line(other)}`);
console.log(
  `ratio:             ${(other.time / one.time).toFixed(2)} in time, ${(other.processor / one.processor).toFixed(2)} in the process`,
);

const begun = process.memoryUsage().rss;
const many = [];
for (let count = 0; count < 1000; count += 50) {
  const names = Array.from({ length: 50 }, (_, index) => `measure-${process.pid}-${count + index}`);
  many.push(...(await Promise.all(names.map((name) => gorilla.acquire(name)))));
}
await new Promise((resolve) => setTimeout(resolve, 1000));
globalThis.gc?.();
const { heapUsed, rss } = process.memoryUsage();
console.log(
  `1,000 locks: ${many.filter((lock) => lock.held).length} held, ${((rss - begun) / 1e6).toFixed(1)} MB more resident, heap ${(heapUsed / 1e6).toFixed(1)} MB`,
);
await gorilla.close();
