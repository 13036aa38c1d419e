// src/spec/*.ts and assembly/abi.ts are read by asc and by tsc: bare lines `export const NAME = 0x10;` and
// comments, nothing else. Usage: node scripts/check-spec-form.mjs [ROOT]. Prints file:line, exit 1.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), ".."));
const CONSTANT = /^export const ([A-Z][A-Z0-9_]*) = (?:-?\d+|0x[0-9a-f]+);(?:\s*\/\/.*)?$/;
const files = readdirSync(join(root, "src/spec")).map((name) => `src/spec/${name}`);
if (existsSync(join(root, "assembly/abi.ts"))) files.push("assembly/abi.ts");
const seen = new Map();
let problems = 0;

for (const file of files.sort()) {
  const lines = readFileSync(join(root, file), "utf8").split("\n");
  for (const [index, line] of lines.entries()) {
    if (line === "" || line.startsWith("//")) continue;
    const name = CONSTANT.exec(line)?.[1];
    const where = `${file}:${index + 1}`;
    if (name === undefined) report(`${where}: not a bare constant line: ${line}`);
    else if (seen.has(name)) report(`${where}: ${name} stands at ${seen.get(name)} too`);
    else seen.set(name, where);
  }
}
if (problems > 0) process.exit(1);
console.log(`spec form: ${seen.size} constants, each once`);

function report(problem) {
  problems++;
  console.error(problem);
}
