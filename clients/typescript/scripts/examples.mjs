// Writes the TypeScript examples of the docs to tests/examples/, where the tests compile and run them. What a reader need
// not see stands in a comment `<!-- example … -->` before an example. A block of `ts no-run` is left out.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

const pages = { readme: "../README.md", page: "../../../docs/clients/typescript.md" };
const folder = new URL("../tests/examples/", import.meta.url);

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const [page, path] of Object.entries(pages)) {
  const text = readFileSync(new URL(path, import.meta.url), "utf8");
  let count = 0;
  for (const [, hidden = "", example] of text.matchAll(/(?:<!-- example\n([\s\S]*?)-->\n)?```ts\n([\s\S]*?)```/g)) {
    writeFileSync(new URL(`${page}-${++count}.ts`, folder), `${imports(hidden + example)}\nexport {};\n`);
  }
  if (count === 0) throw new Error(`${path} has no examples`);
}

/** The imports first, so that what is hidden may stand before them. */
function imports(text) {
  const lines = text.split("\n");
  const isImport = (line) => line.startsWith("import ");
  return [...lines.filter(isImport), ...lines.filter((line) => !isImport(line))].join("\n");
}
