/** The rings of two workers in Node: worker threads. */
import { Worker } from "node:worker_threads";
import type { RingAdapter } from "../ring";
import type { Answer, Request } from "../shared/agent";
import { type AgentWorker, sharedRings } from "../shared/rings";
import { programPath } from "./program";

export const SHARED_RINGS: readonly RingAdapter[] = sharedRings(
  () => new AgentThread(programPath("bench-shared-agent.js")),
);

/** A worker thread that runs shared-agent.ts. */
export class AgentThread implements AgentWorker {
  readonly #worker: Worker;

  /** @param program path of the bundled program, or its text as a data: URL */
  constructor(program: string | URL) {
    this.#worker = new Worker(program);
    this.#worker.unref();
  }

  ask(request: Request): Promise<Answer> {
    const worker = this.#worker;
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        worker.off("message", onMessage).off("error", onError).off("exit", onExit).unref();
        act();
      };
      const onMessage = (answer: Answer) => settle(() => resolve(answer));
      const onError = (error: Error) => settle(() => reject(error));
      const onExit = () => settle(() => reject(new Error("its worker ended")));
      worker.on("message", onMessage).on("error", onError).on("exit", onExit).ref();
      worker.postMessage(request);
    });
  }

  end(): void {
    void this.#worker.terminate();
  }
}
