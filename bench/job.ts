/** What one fresh process is asked and answers: a ring, some workloads, and what was found for each. */
import { EFFORT, type Effort, measure, type Quantiles, WrongRing } from "./measure";
import { NotMeasured, type RingAdapter } from "./ring";
import { type WorkloadChoice, workloadOf } from "./workload";

export interface Job {
  /** A name of the registry, or what a user gave with `--ring`. */
  readonly ring: string;
  readonly choices: readonly WorkloadChoice[];
  readonly effort?: Effort;
}

/** What came of one workload. */
export type Outcome =
  | { readonly kind: "measured"; readonly quantiles: Quantiles }
  | { readonly kind: "not measured"; readonly why: string }
  | { readonly kind: "wrong"; readonly why: string };

/** Does a job, workload after workload. */
export async function work(adapter: RingAdapter, job: Job): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const choice of job.choices) outcomes.push(await outcomeOf(adapter, choice, job.effort ?? EFFORT));
  return outcomes;
}

async function outcomeOf(adapter: RingAdapter, choice: WorkloadChoice, effort: Effort): Promise<Outcome> {
  const workload = workloadOf(choice);
  const why = adapter.refuses?.(workload);
  if (why !== undefined) return { kind: "not measured", why };
  try {
    return { kind: "measured", quantiles: await measure(adapter, workload, effort) };
  } catch (error) {
    if (error instanceof NotMeasured) return { kind: "not measured", why: error.message };
    if (error instanceof WrongRing) return { kind: "wrong", why: error.message };
    const text = error instanceof Error ? error.message : String(error);
    return { kind: "wrong", why: `ring ${adapter.name}: threw ${text}` };
  }
}
