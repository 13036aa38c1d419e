/** The program of a browser's worker: shared/agent.ts behind its messages. */
import { makeAgent, type Request } from "../shared/agent";

const answer = makeAgent();
addEventListener("message", ({ data }: MessageEvent<Request>) => postMessage(answer(data)));
