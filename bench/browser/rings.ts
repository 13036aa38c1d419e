/** The same rings as in Node by name; those that take Node to be measured say so. */
import { NotMeasured, type RingAdapter } from "../ring";
import { RINGS } from "../rings/registry";
import type { Answer, Request } from "../shared/agent";
import { type AgentWorker, sharedRings } from "../shared/rings";
import { SUITES } from "../suites";
import { ask } from "./ask";

/** Every ring that some suite names. */
export const BROWSER_RINGS: readonly RingAdapter[] = withMissing([...RINGS, ...sharedRings(startAgent)]);

function withMissing(there: readonly RingAdapter[]): readonly RingAdapter[] {
  const named = new Set(SUITES.flatMap(({ rings }) => rings));
  const missing = [...named].filter((name) => !there.some((ring) => ring.name === name));
  return [...there, ...missing.map(missingRing)];
}

function missingRing(name: string): RingAdapter {
  const why = name.startsWith("native-")
    ? "a program in C is beyond a browser"
    : "it is loaded from an installed package, which takes Node";
  return {
    name,
    open: () => {
      throw new NotMeasured(why);
    },
  };
}

function startAgent(): AgentWorker {
  const worker = new Worker(new URL("./shared-agent.ts", import.meta.url), { type: "module" });
  return {
    ask: (request: Request) => ask<Answer>(worker, request),
    end: () => worker.terminate(),
  };
}
