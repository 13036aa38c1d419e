// The import arrow (docs/architecture.md): a folder of src/, and bench/, imports only from folders to its left, `errors`
// is open to all, device and driver don't know each other, and packages and Node stay at the right-hand end.
// Usage: node scripts/check-imports.mjs [ROOT]. Prints file:line and the rule, exit 1, for each wrong import.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, posix, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const ARROW = [
  ["spec"],
  ["errors"],
  ["capture"],
  ["assembly"],
  ["core"],
  ["negotiation"],
  ["virtqueue"],
  ["device", "driver"],
  ["transport"],
  ["models"],
  ["trace"],
  ["conformance"],
  ["sim"],
  ["report"],
  ["slim"],
  ["index", "node", "scenarios"],
  ["adapters"],
  ["bench"],
  ["cli"],
  ["v86"],
];
/** Packages that are installed with virtq, for its command line alone. */
const CLI_PACKAGES = ["cac", "cli-table3", "picocolors"];
/** The one file that a package is built into. */
const BUILT_IN = { "bench/end-to-end/measure.ts": "tinybench" };
/** Areas whose files may name Node's own modules; everything else must load in a browser. */
const NODE_AREAS = ["cli"];
/** Folders of an area whose other files load in a browser. */
const NODE_FOLDERS = ["bench/node/"];
const NODE_FILES = /(?:^|\/)[\w-]*(?:file|disk)[\w-]*\.ts$/;

const root = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), ".."));
const rank = new Map(ARROW.flatMap((names, index) => names.map((name) => [name, index])));
const arrowText = ARROW.map((names) => names.join("|")).join(" → ");
const problems = [];
/** What each file imports by path: file → files, both as paths from the root. */
const edges = new Map();

for (const top of ["src", "assembly", "bench"]) {
  const folder = join(root, top);
  if (!existsSync(folder)) continue;
  for (const entry of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    // A tool's own configuration is no part of the package.
    if (entry.endsWith(".ts") && !/\.(?:d|config)\.ts$/.test(entry))
      check(`${top}/${entry.split(sep).join("/")}`);
  }
}
for (const cycle of cycles()) problems.push(`cycle: ${cycle.join(" → ")}`);
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
console.log("import arrow: holds");

function check(file) {
  const text = readFileSync(join(root, file), "utf8");
  const area = areaOf(file);
  if (!rank.has(area)) {
    problems.push(`${file}:1: "${area}" has no place in the import arrow: ${arrowText}`);
    return;
  }
  const imported = [];
  edges.set(file, imported);
  for (const { fileName, pos } of ts.preProcessFile(text, true, true).importedFiles) {
    const rule = fileName.startsWith(".")
      ? brokenByPath(file, area, fileName)
      : brokenByPackage(file, area, fileName);
    if (fileName.startsWith(".")) imported.push(`${posix.join(posix.dirname(file), fileName)}.ts`);
    if (rule !== undefined) problems.push(`${file}:${text.slice(0, pos).split("\n").length}: ${rule}`);
  }
}

function brokenByPath(file, area, specifier) {
  const path = posix.normalize(posix.join(posix.dirname(file), specifier));
  const target = areaOf(path);
  if (target === area) return undefined;
  if (/\.(?:js|ts)$/.test(specifier)) return `"${specifier}": relative imports have no extension`;
  if (!rank.has(target)) return `"${specifier}" leaves src/, assembly/ and bench/`;
  if (area === "assembly" && target !== "spec") return `assembly imports ${target}: it may import only spec`;
  if (target === "assembly" && path !== "assembly/abi")
    return `${area} imports assembly: only its numbers in assembly/abi are for TypeScript`;
  if (target === "errors") return area === "spec" ? "spec imports nothing" : undefined;
  if (rank.get(target) < rank.get(area)) return undefined;
  if (rank.get(target) === rank.get(area))
    return `${area} imports ${target}: they meet through a ring and a transport`;
  return `${area} imports ${target}, which is to its right: ${arrowText}`;
}

function brokenByPackage(file, area, name) {
  if (area === "assembly") return `assembly imports the package "${name}"`;
  if (name.startsWith("node:") || builtinModules.includes(name)) {
    if (NODE_FOLDERS.some((folder) => file.startsWith(folder))) return undefined;
    if (NODE_AREAS.includes(area) || NODE_FILES.test(file)) return undefined;
    return `${area} imports "${name}": it must load in a browser`;
  }
  if (area === "cli" && CLI_PACKAGES.includes(name)) return undefined;
  if (BUILT_IN[file] === name) return undefined;
  return `${area} imports the package "${name}": the library has no run-time dependency`;
}

/** The area that a path belongs to: its folder below src/, or the name of an entry file there. */
function areaOf(path) {
  const parts = relative(".", path).split(sep);
  if (parts[0] === "assembly" || parts[0] === "bench") return parts[0];
  if (parts[0] !== "src") return "";
  return (parts[1] ?? "").replace(/\.ts$/, "");
}

/** Each import cycle once, as its files in order, the first repeated at the end. */
function cycles() {
  const found = [];
  const done = new Set();
  const visit = (file, path) => {
    const start = path.indexOf(file);
    if (start >= 0) found.push([...path.slice(start), file]);
    if (start >= 0 || done.has(file)) return;
    for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of [...edges.keys()].sort()) visit(file, []);
  return found;
}
