/** Starts a fresh process for a job and reads what it found. */
import { spawn } from "node:child_process";
import type { Job, Outcome } from "../job";
import { programPath } from "./program";
import { engineFlags } from "./rings";

/** A job that takes longer has hung; its process is ended. */
const HUNG_MS = 120_000;

/** Runs a job in a process of its own; what breaks the process is an outcome too. */
export function runJob(job: Job): Promise<Outcome[]> {
  const child = spawn(
    process.execPath,
    [...engineFlags(job.ring), programPath("bench-process.js"), JSON.stringify(job)],
    {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: HUNG_MS,
    },
  );
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (bytes) => {
    stdout += bytes;
  });
  child.stderr.on("data", (bytes) => {
    stderr += bytes;
  });
  return new Promise((resolve) => {
    child.on("error", (error) => resolve(broken(job, error.message)));
    child.on("close", (code, signal) => {
      const last = stdout.trimEnd().split("\n").at(-1) ?? "";
      if (code === 0 && last.startsWith("[")) return resolve(JSON.parse(last) as Outcome[]);
      const how = signal === null ? `exit ${code}` : `ended by ${signal}`;
      resolve(broken(job, `its process broke, ${how}: ${stderr.trim().split("\n").at(-1)}`));
    });
  });
}

function broken(job: Job, why: string): Outcome[] {
  return job.choices.map(() => ({ kind: "wrong", why: `ring ${job.ring}: ${why}` }));
}
