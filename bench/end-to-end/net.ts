/** A network device through the whole stack (§5.1): each round sends a batch of frames, which a loop brings back. */
import { loadCore } from "../../src/core/core";
import { NetDriver } from "../../src/driver/net";
import { NetModel } from "../../src/models/net";
import { loopWire } from "../../src/models/net-wire";
import { fillPayload } from "../../src/sim/payload";
import type { Workload } from "../ring";
import { openPair } from "./pair";
import { expectSame, requestBytes, type Stack } from "./stack";

const GUEST_BYTES = 4 << 20;

/** Opens it. @param offer features of the ring */
export async function openNet(offer: readonly string[], workload: Workload): Promise<Stack> {
  const { batch, queueSize, seed } = workload;
  const frames = Array.from({ length: batch }, (_, i) => {
    const frame = new Uint8Array(requestBytes(workload));
    fillPayload(frame, seed, i);
    return frame;
  });
  const core = await loadCore({ guestBytes: GUEST_BYTES });
  const model = new NetModel({ queueSize });
  loopWire(model);
  const { driver, device, allocator } = await openPair({ core, model, offer, queueSize });
  const net = await NetDriver.start(driver, core, allocator, {});
  let keep: ((frame: Uint8Array) => void) | undefined;
  const arrived = (frame: Uint8Array) => keep?.(frame);
  const stack: Stack = {
    round() {
      for (const frame of frames) if (net.send(frame) === 0) throw new Error("the queue was full");
      net.submit();
      while (device.hasWork) device.process();
      if (net.poll(arrived) !== batch) throw new Error("a frame did not come back");
    },
    prove() {
      const received: Uint8Array[] = [];
      keep = (frame) => received.push(frame.slice());
      stack.round();
      keep = undefined;
      for (const [i, frame] of frames.entries())
        expectSame(`frame ${i}`, received[i] ?? new Uint8Array(), frame);
    },
  };
  return stack;
}
