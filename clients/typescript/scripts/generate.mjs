// Writes src/generated/ from docs/openapi.json: the codes of refusals, and the types of what goes over the wire.
// With --check it writes nothing, and fails if a file there is not what it would write.
import { readFileSync, writeFileSync } from "node:fs";

const folder = new URL("../src/generated/", import.meta.url);
const { components } = JSON.parse(readFileSync(new URL("../../../docs/openapi.json", import.meta.url), "utf8"));
const schemas = components.schemas;

/** What the client sends and reads. Schemas that these name come along. */
const roots = [
  "Acquire",
  "AcquireSet",
  "Extend",
  "Batch",
  "Lock",
  "LockSet",
  "Batched",
  "Error",
  "Held",
  "Shared",
  "Free",
];

const head = "// Made from docs/openapi.json by scripts/generate.mjs. Don't edit: run `npm run generate`.\n";

function typeOf(schema, used) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    used.add(name);
    return nameOf(name);
  }
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choice = schema.oneOf ?? schema.anyOf;
  if (choice) return [...new Set(choice.map((one) => typeOf(one, used)))].join(" | ");
  const types = [schema.type ?? "unknown"].flat().map((type) => {
    switch (type) {
      case "integer":
        return "number";
      case "array": {
        const item = typeOf(schema.items ?? {}, used);
        return item.includes(" | ") ? `readonly (${item})[]` : `readonly ${item}[]`;
      }
      default:
        return type;
    }
  });
  return types.join(" | ");
}

/** `Error` is a name of the language. */
function nameOf(schema) {
  return schema === "Error" ? "ErrorBody" : schema;
}

function comment(text, indent) {
  if (!text) return "";
  const lines = text
    .split("\n\n")[0]
    .split("\n")
    .join(" ")
    .match(/.{1,110}(?:\s|$)|\S+/g);
  if (lines.length === 1) return `${indent}/** ${lines[0].trim()} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line.trim()}\n`).join("")}${indent} */\n`;
}

function declare(name, used) {
  const schema = schemas[name];
  const about = comment(schema.description, "");
  if (!schema.properties) return `${about}export type ${nameOf(name)} = ${typeOf(schema, used)};\n`;
  const required = new Set(schema.required);
  const members = Object.entries(schema.properties).map(([member, property]) => {
    // A server of a later version may have more codes.
    const open = name === "Error" && member === "code";
    const type = open ? "string" : typeOf(property, used);
    return `${comment(property.description, "  ")}  readonly ${member}${required.has(member) ? "" : "?"}: ${type};\n`;
  });
  return `${about}export interface ${nameOf(name)} {\n${members.join("")}}\n`;
}

function wire() {
  const used = new Set(roots);
  // The set grows while it is walked.
  const declared = [];
  for (const name of used) declared.push([name, declare(name, used)]);
  declared.sort(([one], [other]) => (one < other ? -1 : 1));
  return `${head}\n${declared.map(([, text]) => text).join("\n")}`;
}

function codes() {
  const { description, enum: all } = schemas.Error.properties.code;
  const about = new Map(
    [...description.matchAll(/- `(\w+)` \((\d+)\): (.*)/g)].map(([, code, status, text]) => [
      code,
      `${status}: ${text}`,
    ]),
  );
  const choices = all.map((code) => `  // ${about.get(code)}\n  | ${JSON.stringify(code)}\n`).join("");
  return `${head}
/** A code of a refusal that this version knows. A server of a later version may have more. */
export type Code =
${choices.trimEnd()};
`;
}

let drifted = false;
for (const [file, text] of [
  ["wire.ts", wire()],
  ["codes.ts", codes()],
]) {
  const path = new URL(file, folder);
  if (!process.argv.includes("--check")) {
    writeFileSync(path, text);
  } else if (readFileSync(path, "utf8") !== text) {
    console.error(`src/generated/${file} is not what docs/openapi.json says: run npm run generate`);
    drifted = true;
  }
}
process.exitCode = drifted ? 1 : 0;
