/** Two worker threads that race against each other. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Meeting } from "../../bench/shared/meeting";
import { bundle } from "./bundle";
import type { RaceRequest, Tally } from "./race";
import type { RaceAnswer } from "./race-agent";

export class NodeRace {
  readonly #workers: readonly [Worker, Worker];

  private constructor(program: URL) {
    this.#workers = [new Worker(program), new Worker(program)];
  }

  static async start(): Promise<NodeRace> {
    return new NodeRace(await bundle(new URL("./race-agent.ts", import.meta.url)));
  }

  readonly run = (meeting: Meeting, rounds: number): Promise<Tally[]> => {
    const [driver, device] = this.#workers;
    return Promise.all([
      ask(driver, { role: "driver", meeting, rounds }),
      ask(device, { role: "device", meeting, rounds }),
    ]);
  };

  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

async function ask(worker: Worker, request: RaceRequest): Promise<Tally> {
  worker.postMessage(request);
  const [answer] = (await once(worker, "message")) as [RaceAnswer];
  if ("error" in answer) throw new Error(answer.error);
  return answer.tally;
}
