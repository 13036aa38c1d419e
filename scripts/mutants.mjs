// Does `npm test` notice a broken core? Applies each one-line change of test/mutants/mutants.json to a copy of
// assembly/, builds it, and runs the ring tests against it until the first failure; prints who was killed by what.
// Usage: node scripts/mutants.mjs [--only TEXT] [--list]. Exit 1: a mutant that is not equivalent survived.
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
/** The rings' own tests among those of `npm test`; a stage runs only if the one before let the mutant live. */
const RINGS = ["split", "packed", "notification-data", "virtqueue.test", "order", "adversarial-ring"];
const STAGES = [
  ["test/golden", ...RINGS.map((name) => `test/conformance/${name}`)],
  ["test/core", "test/virtqueue"],
  ["test/reliability"],
  ["test/model", "test/property"],
];
/** One process without isolation: a fifth of the time. The binary's size and form are no behaviour. */
const VITEST = ["--bail", "1", "--no-isolate", "--maxWorkers", "1", "--exclude", "**/binary.test.ts"];
const SECONDS_PER_RUN = 180;

const only = process.argv.indexOf("--only");
const wanted = only < 0 ? "" : process.argv[only + 1];
const mutants = JSON.parse(readFileSync(join(root, "test/mutants/mutants.json"), "utf8")).filter(
  ({ file, why }) => `${file} ${why}`.includes(wanted),
);
for (const mutant of mutants) mutant.text = mutated(mutant);
if (process.argv.includes("--list")) {
  for (const { file, why } of mutants) console.log(`${file}: ${why}`);
  process.exit();
}

const queue = [...mutants];
const workers = Array.from({ length: Math.min(2, availableParallelism()) }, () => copyOfTheProject());
const running = new Set();
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));
process.on("exit", () => {
  for (const child of running) process.kill(-child.pid, "SIGKILL"); // the whole group: vitest's workers too
  for (const copy of workers) rmSync(copy, { recursive: true, force: true });
});
await expectGreen(workers[0]);
await Promise.all(workers.map(work));

const killed = mutants.filter(({ result }) => result.killed && result.by !== "build");
const equivalent = mutants.filter(({ equivalent, result }) => equivalent && !result.killed);
const wrong = mutants.filter((mutant) => !killed.includes(mutant) && !equivalent.includes(mutant));
console.log(
  `\n${mutants.length} mutants: ${killed.length} killed, ${equivalent.length} equivalent, ${wrong.length} wrong`,
);
for (const { file, why, result } of wrong)
  console.log(`  ${result.killed ? "does not build" : "SURVIVED"}: ${file}: ${why}`);
console.log(`${killed.length + equivalent.length} passed, ${wrong.length} failed`);
process.exitCode = wrong.length > 0 ? 1 : 0;

/** The file's text with the one change in it; its `find` must stand there exactly once. */
function mutated({ file, find, replace }) {
  const text = readFileSync(join(root, file), "utf8");
  const parts = text.split(find);
  if (parts.length !== 2) throw new Error(`${file}: ${parts.length - 1} places have ${JSON.stringify(find)}`);
  return parts.join(replace);
}

function copyOfTheProject() {
  const copy = mkdtempSync(join(tmpdir(), "virtq-mutants-"));
  const names = ["assembly", "src", "test", "schema", "build", "scripts", "package.json", "tsconfig.json"];
  for (const name of [...names, "vitest.config.ts", "asconfig.json", "wasm-budget.json"]) {
    cpSync(join(root, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  return copy;
}

async function work(copy) {
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const path = join(copy, mutant.file);
    const before = readFileSync(path, "utf8");
    writeFileSync(path, mutant.text);
    mutant.result = await judge(copy);
    writeFileSync(path, before);
    const { killed, by, seconds } = mutant.result;
    const verdict = killed ? `killed by ${by}` : mutant.equivalent ? "equivalent" : "SURVIVED";
    console.log(`${mutant.file}: ${mutant.why}: ${verdict} (${seconds.toFixed(0)} s)`);
  }
}

async function expectGreen(copy) {
  const result = await judge(copy);
  if (result.killed)
    throw new Error(`the core is not green before any change: ${result.by}\n${result.output}`);
}

/** Builds the copy's core and tests it. Only the release build is mutated; the shared one comes from the same lines. */
async function judge(copy) {
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  const asc = ["node_modules/assemblyscript/bin/asc.js", "--target", "release", "--optimizeLevel", "0"];
  const build = await run(copy, asc);
  if (build.code !== 0) return { killed: true, by: "build", output: build.output, seconds: seconds() };
  await run(copy, ["scripts/embed-wasm.mjs"]);
  for (const stage of STAGES) {
    const vitest = ["node_modules/vitest/vitest.mjs", "run", ...VITEST, "--reporter", "tap-flat"];
    const { code, output } = await run(copy, [...vitest, "--passWithNoTests", ...stage]);
    if (code !== 0) return { killed: true, by: killerIn(output, code), output, seconds: seconds() };
  }
  return { killed: false, seconds: seconds() };
}

function killerIn(output, code) {
  if (code === "timeout") return "a test that never ended";
  // With --bail the tests that did not run any more are "not ok" too, but took no time.
  return /^not ok \d+ - (.*) # time=/m.exec(output)?.[1] ?? output.trim().split("\n").at(-1);
}

/** Runs Node on `args` in `cwd`; its exit code, or "timeout" when it had to be ended, and what it printed. */
function run(cwd, args) {
  return new Promise((done) => {
    const child = spawn(process.execPath, args, { cwd, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    running.add(child);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
    let ended = false;
    const timer = setTimeout(() => {
      ended = true;
      process.kill(-child.pid, "SIGKILL");
    }, SECONDS_PER_RUN * 1000);
    child.on("close", (code) => {
      clearTimeout(timer);
      running.delete(child);
      done({ code: ended ? "timeout" : code, output });
    });
  });
}
