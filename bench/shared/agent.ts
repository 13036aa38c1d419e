/** The program of one worker: becomes a driver or a device when it is told where to meet, and then runs chains. */
import { SharedDevice } from "./device";
import { SharedDriver } from "./driver";
import { Stopped, stop } from "./idle";
import type { Meeting, Role } from "./meeting";

export type Request =
  | { readonly kind: "open"; readonly role: Role; readonly meeting: Meeting }
  | { readonly kind: "run"; readonly chains: number };

/** `figures`: what `run` of the role gives. */
export type Answer =
  | { readonly kind: "open" }
  | { readonly kind: "done"; readonly figures: Readonly<Record<string, number>> }
  | { readonly kind: "stopped" }
  | { readonly kind: "failed"; readonly why: string };

/** What to do with each request, in Node and in a browser alike. */
export function makeAgent(): (request: Request) => Answer {
  let half: SharedDriver | SharedDevice | undefined;
  let words: Int32Array | undefined;
  return (request) => {
    try {
      if (request.kind === "open") {
        const { role, meeting } = request;
        words = meeting.words;
        half = role === "driver" ? new SharedDriver(meeting) : new SharedDevice(meeting);
        return { kind: "open" };
      }
      if (half === undefined) throw new Error("it was not opened");
      return { kind: "done", figures: { ...half.run(request.chains) } };
    } catch (error) {
      if (words !== undefined) stop(words); // or the other side would wait for ever
      if (error instanceof Stopped) return { kind: "stopped" };
      return { kind: "failed", why: error instanceof Error ? error.message : String(error) };
    }
  };
}
