/**
 * The native rings: our own C (bench/native/), built by the system's compiler as `cc -O2`, each in a child process
 * that times itself and answers a line for each run.
 */
import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { checksum, NotMeasured, type Ring, type RingAdapter, type Sample, type Workload } from "../ring";
import { refusesBeyondBasics } from "../rings/basics";
import { submissionWords } from "../workload";

/** The compiler's options: what a distribution builds with. */
export const CFLAGS = ["-O2", "-std=c11"];

const adapter = (source: string): RingAdapter => ({
  name: `native-${source}`,
  refuses: (workload) =>
    workload.device === "echo" ? "it has a sink for a device" : refusesBeyondBasics(workload),
  open: (workload) => new NativeRing(build(source), workload),
});

export const NATIVE_RINGS: readonly RingAdapter[] = [
  adapter("plain-split"),
  adapter("plain-packed"),
  adapter("tuned-split"),
  adapter("tuned-packed"),
];

class NativeRing implements Ring {
  readonly #batch: number;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<string>;
  readonly #lines: Interface;

  constructor(program: string, workload: Workload) {
    const { batch, queueSize, shape, submissions } = workload;
    this.#batch = batch;
    const args = [queueSize, batch, submissionWords(shape)].map(String);
    this.#child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#child.stdout });
    this.#answers = this.#lines[Symbol.asyncIterator]();
    this.#child.stdin.write(`${submissions.join("\n")}\n`);
  }

  async run(chains: number): Promise<Sample> {
    this.#child.stdin.write(`${chains}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error("its process ended");
    const [ns = 0, used = 0, seen = 0] = (value as string).split(" ").map(Number);
    const rounds = chains / this.#batch;
    return {
      ns,
      checksum: checksum({ chains, used: Math.imul(rounds, used), seen: Math.imul(rounds, seen) }),
    };
  }

  close(): void {
    this.#child.stdin.end();
    this.#lines.close();
  }
}

/**
 * Builds a program unless this very source was built before.
 *
 * @returns its path
 * @throws NotMeasured where there is no compiler, or it fails
 */
function build(source: string): string {
  const folder = sourceFolder();
  const names = ["main.c", "ring.h", `${source}.c`];
  const text = names.map((name) => readFileSync(join(folder, name), "utf8")).join("");
  const hash = createHash("sha256")
    .update(`${CFLAGS.join(" ")}\n${text}`)
    .digest("hex")
    .slice(0, 16);
  const cache = cacheFolder();
  const program = join(cache, `${source}-${hash}`);
  if (existsSync(program)) return program;
  const scratch = mkdtempSync(join(cache, "build-"));
  try {
    const files = ["main.c", `${source}.c`].map((name) => join(folder, name));
    execFileSync("cc", [...CFLAGS, "-o", join(scratch, source), ...files], { stdio: "pipe" });
    renameSync(join(scratch, source), program);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new NotMeasured(
      code === "ENOENT"
        ? "there is no C compiler `cc` here"
        : `cc failed: ${message.split("\n")[1] ?? message}`,
    );
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return program;
}

/** A folder for programs that nobody else can put some into. */
function cacheFolder(): string {
  const own = process.getuid?.();
  const folder = join(tmpdir(), `virtq-bench-native-${own ?? "all"}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(folder);
  if (own === undefined || (uid === own && (mode & 0o022) === 0)) return folder;
  throw new NotMeasured(`${folder}, where its program would lie, is open to others`);
}

function sourceFolder(): string {
  const folder = ["./native/", "../native/"]
    .map((name) => fileURLToPath(new URL(name, import.meta.url)))
    .find((path) => existsSync(join(path, "main.c")));
  if (folder === undefined) throw new NotMeasured("its C source is not in this build of virtq");
  return folder;
}
