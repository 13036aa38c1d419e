/** What one fresh process is asked and answers: a ring, some workloads, and what was found for each. */
import { measureStack } from "./end-to-end/measure";
import { isEndToEnd, type StackAdapter } from "./end-to-end/stack";
import { EFFORT, type Effort, measure, type Quantiles, WrongRing } from "./measure";
import { NotMeasured, type RingAdapter, type Workload } from "./ring";
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
export async function work(adapter: RingAdapter | StackAdapter, job: Job): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const choice of job.choices) outcomes.push(await outcomeOf(adapter, choice, job.effort ?? EFFORT));
  return outcomes;
}

async function outcomeOf(
  adapter: RingAdapter | StackAdapter,
  choice: WorkloadChoice,
  effort: Effort,
): Promise<Outcome> {
  const workload = workloadOf(choice);
  const why = refusal(adapter, workload);
  if (why !== undefined) return { kind: "not measured", why };
  try {
    return { kind: "measured", quantiles: await quantilesOf(adapter, workload, effort) };
  } catch (error) {
    if (error instanceof NotMeasured) return { kind: "not measured", why: error.message };
    if (error instanceof WrongRing) return { kind: "wrong", why: error.message };
    const text = error instanceof Error ? error.message : String(error);
    return { kind: "wrong", why: `ring ${adapter.name}: threw ${text}` };
  }
}

function refusal(adapter: RingAdapter | StackAdapter, workload: Workload): string | undefined {
  if ("openStack" in adapter)
    return isEndToEnd(workload) ? undefined : "it is a stack: it has models for devices";
  return isEndToEnd(workload) ? "it is a ring alone, no stack" : adapter.refuses?.(workload);
}

function quantilesOf(
  adapter: RingAdapter | StackAdapter,
  workload: Workload,
  effort: Effort,
): Promise<Quantiles> {
  return "openStack" in adapter
    ? measureStack(adapter, workload, effort)
    : measure(adapter, workload, effort);
}
