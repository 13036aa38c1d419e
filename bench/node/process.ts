/** The program of one fresh process: a job as its argument, the outcomes on stdout. */
import { type Job, type Outcome, work } from "../job";
import { ringToMeasure } from "./rings";

const job = JSON.parse(process.argv[2] ?? "") as Job;
const outcomes = await outcomesOf(job);
process.stdout.write(`\n${JSON.stringify(outcomes)}\n`);

async function outcomesOf(given: Job): Promise<Outcome[]> {
  try {
    return await work(await ringToMeasure(given.ring), given);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return given.choices.map(() => ({ kind: "wrong", why: `ring ${given.ring}: ${why}` }));
  }
}
