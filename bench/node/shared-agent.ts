/** The program of a worker thread: shared/agent.ts behind Node's port. */
import { parentPort } from "node:worker_threads";
import { makeAgent, type Request } from "../shared/agent";

const answer = makeAgent();
parentPort?.on("message", (request: Request) => parentPort?.postMessage(answer(request)));
