/** Where a result was measured: machine, system, engine, and what was measured. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import type { Environment } from "../result";

/**
 * Describes this machine.
 *
 * @param version of virtq
 * @param seed as given
 */
export function environment(version: string, seed: number): Environment {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() || "unknown",
    cores: all.length,
    caches: caches(),
    memoryBytes: totalmem(),
    os: `${type()} ${release()}`,
    arch: process.arch,
    engine: `Node ${process.version}, V8 ${process.versions.v8}`,
    compiler: firstLine("cc", ["--version"]),
    version,
    commit: firstLine("git", ["rev-parse", "HEAD"]),
    seed,
    load: loadavg().map((value) => Math.round(value * 100) / 100),
  };
}

/** Such as "L1 Data 48K, L1 Instruction 64K, L2 Unified 2048K": of the first core, where the system says. */
function caches(): string | null {
  const folder = "/sys/devices/system/cpu/cpu0/cache";
  try {
    const texts = readdirSync(folder)
      .filter((name) => name.startsWith("index"))
      .map((name) => {
        const read = (file: string) => readFileSync(`${folder}/${name}/${file}`, "utf8").trim();
        return `L${read("level")} ${read("type")} ${read("size")}`;
      });
    return texts.length > 0 ? texts.join(", ") : null;
  } catch {
    return null;
  }
}

function firstLine(command: string, args: readonly string[]): string | null {
  try {
    const text = execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return text.split("\n")[0] || null;
  } catch {
    return null;
  }
}
