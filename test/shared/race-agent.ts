/** The program of one worker of a race, in Node's worker threads and in a browser's workers. */
import { type RaceRequest, race, type Tally } from "./race";

export type RaceAnswer = { readonly tally: Tally } | { readonly error: string };

function answer(request: RaceRequest): RaceAnswer {
  try {
    return { tally: race(request) };
  } catch (error) {
    return { error: String(error) };
  }
}

if (typeof process === "undefined") {
  addEventListener("message", ({ data }: MessageEvent<RaceRequest>) => postMessage(answer(data)));
} else {
  const { parentPort } = await import("node:worker_threads");
  parentPort?.on("message", (request: RaceRequest) => parentPort?.postMessage(answer(request)));
}
