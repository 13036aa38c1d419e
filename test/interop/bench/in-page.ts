/** What the test asks of the page: loaded there as a module, called by name. */
import { ask as askWorker } from "../../../bench/browser/ask";
import { BROWSER_RINGS } from "../../../bench/browser/rings";
import { type WorkloadChoice, workloadOf } from "../../../bench/workload";
import { type RaceKind, type RaceRequest, raceOften, type Tally } from "../../shared/race";
import type { RaceAnswer } from "../../shared/race-agent";

export const inPage = {
  /** Runs `chains` chains of each choice on each ring; checksums by ring, chain and batch. */
  async checksums(rings: readonly string[], choices: readonly WorkloadChoice[], chains: number) {
    const sums: Record<string, number> = {};
    for (const adapter of BROWSER_RINGS.filter(({ name }) => rings.includes(name))) {
      for (const choice of choices) {
        const ring = await adapter.open(workloadOf(choice));
        sums[`${adapter.name} ${choice.shape.name} ${choice.batch}`] = (await ring.run(chains)).checksum;
        ring.close?.();
      }
    }
    return sums;
  },

  /** Races two workers against each other. */
  async race(kind: RaceKind, races: number): Promise<Tally> {
    const start = () =>
      new Worker(new URL("../../shared/race-agent.ts", import.meta.url), { type: "module" });
    const [driver, device] = [start(), start()];
    const tally = await raceOften(kind, races, (meeting, rounds) =>
      Promise.all([
        ask(driver, { role: "driver", meeting, rounds }),
        ask(device, { role: "device", meeting, rounds }),
      ]),
    );
    driver.terminate();
    device.terminate();
    return tally;
  },
};

async function ask(worker: Worker, request: RaceRequest): Promise<Tally> {
  const answer = await askWorker<RaceAnswer>(worker, request);
  if ("error" in answer) throw new Error(answer.error);
  return answer.tally;
}

declare global {
  interface Window {
    inPage: typeof inPage;
  }
}
window.inPage = inPage;
