/** Both sides of virtio-mmio with a window and an interrupt line between them: MmioPort, its accesses logged, MmioTransport. */
import { type MmioOptions, MmioTransport } from "../../src/transport/mmio";
import { MmioPort } from "../../src/transport/mmio-port";
import type { Wire } from "./port-pair";

/** What the driver did to a register; `offset` counts from the start of the window. */
export interface MmioAccess {
  readonly how: "read" | "write";
  readonly offset: number;
  readonly bytes: number;
  /** What was read or written. */
  readonly value: number;
}

/** @param log takes each access */
export function mmioWire(
  options: Pick<MmioOptions, "version" | "sharedMemory">,
  log?: (access: MmioAccess) => void,
): Wire<MmioPort, MmioTransport> {
  return async (device, access, onRaised) => {
    const onInterrupt = (level: boolean) => {
      if (level) onRaised();
    };
    const transport = new MmioTransport(device, { ...options, onInterrupt });
    const port = await MmioPort.open({
      read: (offset, bytes) =>
        access(() => {
          const value = transport.read(offset, bytes);
          log?.({ how: "read", offset, bytes, value });
          return value;
        }),
      write: (offset, bytes, value) =>
        access(() => {
          log?.({ how: "write", offset, bytes, value });
          transport.write(offset, value, bytes);
        }),
    });
    return {
      port,
      transport,
      isLegacy: options.version === 1,
      isRaised: () => transport.interruptLevel,
      handle: () => port.handleInterrupt(),
    };
  };
}
