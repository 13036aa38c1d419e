/**
 * The first initialisation that a device saw, in words: what a driver did from the reset to DRIVER_OK and in which order,
 * whatever transport it went over. Repetitions count once, and so does the set-up of all queues.
 */
import type { ConfigLayout } from "../../src/negotiation/config-table";
import { CONFIG_LAYOUTS } from "../../src/negotiation/config-table";
import type { RegisterAccess } from "../../src/negotiation/control-event";
import type { DeviceType } from "../../src/negotiation/feature-table";
import { statusNames } from "../../src/negotiation/status-names";
import { VIRTIO_CONFIG_S_DRIVER_OK } from "../../src/spec/status";

/** The deeds, in order. @param accesses of one device, from its first one on */
export function initialisationOrder(type: DeviceType, accesses: Iterable<RegisterAccess>): string[] {
  const order: string[] = [];
  let status = 0;
  for (const access of accesses) {
    const word =
      access.register === "status" ? statusDeed(access, status) : deed(access, CONFIG_LAYOUTS[type]);
    if (access.register === "status" && access.how === "write") status = access.value;
    if (word !== undefined && word !== order.at(-1)) order.push(word);
    if ((status & VIRTIO_CONFIG_S_DRIVER_OK) !== 0) break;
  }
  return order;
}

function statusDeed({ how, value }: RegisterAccess, before: number): string | undefined {
  if (how === "read") return undefined;
  return value === 0 ? "reset" : statusNames(value & ~before);
}

function deed(
  { register, how, value, index = 0 }: RegisterAccess,
  layout: readonly ConfigLayout[],
): string | undefined {
  switch (register) {
    case "device-features":
      return `read offer ${index}`;
    case "driver-features":
      return `accept ${index}`;
    case "config": {
      const field = layout.find(({ offset, bytes }) => index >= offset && index < offset + bytes);
      return `${how} ${field?.name ?? `offset ${index}`}`;
    }
    case "queue-size":
    case "queue-enable":
      return "set up queues";
    case "notify":
      return `notify queue ${value & 0xffff}`;
    default:
      return undefined;
  }
}
