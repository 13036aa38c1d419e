/** The rings of two workers in Node: worker threads. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { NotMeasured, type RingAdapter } from "../ring";
import type { Answer, Request } from "../shared/agent";
import { type AgentWorker, sharedRings } from "../shared/rings";

export const SHARED_RINGS: readonly RingAdapter[] = sharedRings(() => new AgentThread(programPath()));

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

/** The built program, beside this file in dist/. */
function programPath(): string {
  const path = ["./bench-shared-agent.js", "../../dist/bench-shared-agent.js"]
    .map((name) => fileURLToPath(new URL(name, import.meta.url)))
    .find((name) => existsSync(name));
  if (path === undefined) throw new NotMeasured("dist/bench-shared-agent.js is missing: run `npm run build`");
  return path;
}
