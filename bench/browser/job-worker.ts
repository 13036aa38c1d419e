/** The program of one fresh worker: a job comes, its outcomes go, as in Node's node/process.ts. */
import { clockStep, effortFor } from "../effort";
import { type Job, work } from "../job";
import { EFFORT } from "../measure";
import { BROWSER_RINGS } from "./rings";

addEventListener("message", async ({ data: job }: MessageEvent<Job>) => {
  const adapter = BROWSER_RINGS.find(({ name }) => name === job.ring);
  if (adapter === undefined) throw new Error(`there is no ring ${job.ring} here`);
  postMessage(await work(adapter, { ...job, effort: effortFor(clockStep(), job.effort ?? EFFORT) }));
});
