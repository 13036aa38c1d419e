/** A job in a fresh worker: what a fresh process is in Node, as near as a page comes to it. */
import type { Job, Outcome } from "../job";
import { ask } from "./ask";

/** Runs a job in a worker of its own; what breaks the worker is an outcome too. */
export async function runJob(job: Job): Promise<Outcome[]> {
  const worker = new Worker(new URL("./job-worker.ts", import.meta.url), { type: "module" });
  try {
    return await ask<Outcome[]>(worker, job);
  } catch (error) {
    const why = `ring ${job.ring}: its worker broke: ${error instanceof Error ? error.message : String(error)}`;
    return job.choices.map(() => ({ kind: "wrong", why }));
  } finally {
    worker.terminate();
  }
}
