/** The rings of two workers as adapters: they start the workers, and put their answers together. */
import { checksum, type Ring, type RingAdapter, type Sample, type Workload } from "../ring";
import type { Answer, Request } from "./agent";
import { type Meeting, makeMeeting } from "./meeting";
import { SHARED_KINDS } from "./names";

/** A worker that runs agent.ts. */
export interface AgentWorker {
  /** Asks one thing at a time; rejects when the worker breaks. */
  ask(request: Request): Promise<Answer>;
  end(): void;
}

/** Starts such a worker: what differs between Node and a browser. */
export type StartAgent = () => AgentWorker;

/** The adapters. */
export function sharedRings(start: StartAgent): readonly RingAdapter[] {
  return Object.entries(SHARED_KINDS).map(([name, kind]) => ({
    name,
    refuses,
    open: (workload) => SharedRing.open(makeMeeting(kind, workload), start),
  }));
}

function refuses({ queues, device }: Workload): string | undefined {
  if (queues > 1) return "its two workers have one queue";
  return device === "sink" ? undefined : "it has a sink for a device";
}

class SharedRing implements Ring {
  readonly #batch: number;
  readonly #driver: AgentWorker;
  readonly #device: AgentWorker;

  private constructor(batch: number, start: StartAgent) {
    this.#batch = batch;
    this.#driver = start();
    this.#device = start();
  }

  static async open(meeting: Meeting, start: StartAgent): Promise<SharedRing> {
    const ring = new SharedRing(meeting.workload.batch, start);
    try {
      await ring.#ask({ kind: "open", role: "driver", meeting }, { kind: "open", role: "device", meeting });
    } catch (error) {
      ring.close();
      throw error;
    }
    return ring;
  }

  async run(chains: number): Promise<Sample> {
    const { ns = 0, used = 0, seen = 0 } = await this.#ask({ kind: "run", chains });
    const rounds = chains / this.#batch;
    return {
      ns,
      checksum: checksum({ chains, used: Math.imul(rounds, used), seen: Math.imul(rounds, seen) }),
    };
  }

  close(): void {
    this.#driver.end();
    this.#device.end();
  }

  /** Asks both; what they found, or the reason that the first of them had to stop. */
  async #ask(driver: Request, device: Request = driver): Promise<Readonly<Record<string, number>>> {
    const answers = await Promise.all([this.#driver.ask(driver), this.#device.ask(device)]);
    const failed = answers.find((answer) => answer.kind === "failed");
    if (failed !== undefined) throw new Error(failed.why);
    return Object.assign({}, ...answers.map((answer) => (answer.kind === "done" ? answer.figures : {})));
  }
}
