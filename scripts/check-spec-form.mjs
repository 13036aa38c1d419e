// src/spec/*.ts is read by asc and by tsc: bare lines `export const NAME = 0x10;` and comments, nothing else.
// Usage: node scripts/check-spec-form.mjs [ROOT]. Prints file:line for each other line, exit 1.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), ".."));
const folder = join(root, "src/spec");
const CONSTANT = /^export const ([A-Z][A-Z0-9_]*) = (?:-?\d+|0x[0-9a-f]+);(?:\s*\/\/.*)?$/;
const seen = new Map();
let problems = 0;

for (const name of readdirSync(folder).sort()) {
  readFileSync(join(folder, name), "utf8")
    .split("\n")
    .forEach((line, index) => {
      if (line === "" || line.startsWith("//")) return;
      const where = `src/spec/${name}:${index + 1}`;
      const constant = CONSTANT.exec(line);
      if (constant === null) report(`${where}: not a bare constant line: ${line}`);
      else if (seen.has(constant[1]))
        report(`${where}: ${constant[1]} stands at ${seen.get(constant[1])} too`);
      else seen.set(constant[1], where);
    });
}
if (problems > 0) process.exit(1);
console.log(`spec form: ${seen.size} constants, each once`);

function report(problem) {
  problems++;
  console.error(problem);
}
