/** What a network device says of itself: its address, MTU and speed, and the features that follow (§5.1.3, §5.1.4). */
import { type ConfigField, configFields } from "../device/model";
import { VirtioError } from "../errors";
import { FeatureSet } from "../negotiation/feature-set";
import {
  VIRTIO_NET_DUPLEX_FULL,
  VIRTIO_NET_DUPLEX_HALF,
  VIRTIO_NET_DUPLEX_UNKNOWN,
  VIRTIO_NET_MTU_MAX,
  VIRTIO_NET_MTU_MIN,
  VIRTIO_NET_SPEED_MAX,
  VIRTIO_NET_SPEED_UNKNOWN,
} from "../spec/net";
import type { NetWire } from "./net-wire";

/** The parts of a device's options that its driver gets to see. */
export interface NetIdentity {
  /** The device's address, "52:54:00:12:34:56"; offers MAC. */
  readonly mac?: string;
  /** Largest packet without its Ethernet header, 68…65535 bytes, 1280 and up if you can (§5.1.4.1); offers MTU. */
  readonly mtu?: number;
  /** Speed of the link in Mbit/s, 0…2^31-1; offers SPEED_DUPLEX. Fixed, so it never changes while the link is up. */
  readonly speed?: number;
  /** Whether both sides may talk at once; offers SPEED_DUPLEX. */
  readonly duplex?: "half" | "full";
  /**
   * Device-type features instead of the default, which is STATUS, MRG_RXBUF and what the fields above ask for. Besides:
   * GUEST_CSUM, GUEST_TSO4, GUEST_TSO6, GUEST_ECN, GUEST_UFO: the driver may be given such frames as `receive` gets;
   * CSUM, HOST_TSO4, HOST_TSO6, HOST_ECN, HOST_UFO: the wire takes frames that are not finished, as their header says.
   */
  readonly offers?: readonly string[];
}

/** What a network device is made with. */
export interface NetOptions extends NetIdentity {
  /** Where transmitted frames go; the model's `wire` can be set later. */
  readonly wire?: NetWire;
  /** Largest queue size, 1…32768. Default 256. */
  readonly queueSize?: number;
  /** Most received frames that wait for buffers, 1 and up. Default 256. */
  readonly backlog?: number;
  /** Hears why a wire failed; the driver is told nothing, as on a real link. */
  readonly onWireError?: (error: unknown) => void;
}

/** Features that the model can offer. */
const KNOWN = [
  "CSUM",
  "GUEST_CSUM",
  "MTU",
  "MAC",
  "GUEST_TSO4",
  "GUEST_TSO6",
  "GUEST_ECN",
  "GUEST_UFO",
  "HOST_TSO4",
  "HOST_TSO6",
  "HOST_ECN",
  "HOST_UFO",
  "MRG_RXBUF",
  "STATUS",
  "SPEED_DUPLEX",
];

// §5.1.4 gives 1 to full duplex and 0 to half; §5.1.4.1 has it the other way round. All drivers follow the former.
const DUPLEX = { half: VIRTIO_NET_DUPLEX_HALF, full: VIRTIO_NET_DUPLEX_FULL };

/**
 * The features that a device offers.
 *
 * @throws VirtioError BAD_ARGUMENT for a feature that the model can't offer, or without the value that it announces
 */
export function netOffers({ mac, mtu, speed, duplex, offers }: NetIdentity): readonly string[] {
  const given: Readonly<Record<string, boolean>> = {
    MAC: mac !== undefined,
    MTU: mtu !== undefined,
    SPEED_DUPLEX: speed !== undefined || duplex !== undefined,
  };
  const chosen = offers ?? ["STATUS", "MRG_RXBUF", ...Object.keys(given).filter((name) => given[name])];
  const names = FeatureSet.from(chosen, "net").names("net");
  const unknown = names.find((name) => !KNOWN.includes(name));
  if (unknown !== undefined)
    throw bad(`the net model cannot offer ${unknown}, only ${KNOWN.join(", ")}`, "5.1.3");
  const bare = names.find((name) => given[name] === false);
  if (bare !== undefined) throw bad(`${bare} is offered without a value for it`);
  return names;
}

/**
 * The configuration of a device.
 *
 * @param status gives the status field anew
 * @throws VirtioError BAD_ARGUMENT for a value out of its range
 */
export function netConfig({ mac, mtu, speed, duplex }: NetIdentity, status: () => number): ConfigField[] {
  if (mtu !== undefined) check("mtu", mtu, VIRTIO_NET_MTU_MIN, VIRTIO_NET_MTU_MAX);
  if (speed !== undefined) check("speed", speed, 0, VIRTIO_NET_SPEED_MAX);
  return configFields("net", {
    mac: mac === undefined ? 0 : macBytes(mac),
    status,
    mtu: mtu ?? 0,
    speed: speed ?? VIRTIO_NET_SPEED_UNKNOWN,
    duplex: duplex === undefined ? VIRTIO_NET_DUPLEX_UNKNOWN : DUPLEX[duplex],
  });
}

function macBytes(mac: string): Uint8Array {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac))
    throw bad(`"${mac}" is no address like 52:54:00:12:34:56`);
  return Uint8Array.from(mac.split(":"), (byte) => Number.parseInt(byte, 16));
}

function check(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw bad(`${name} ${value} is not within ${least}…${most}`);
}

function bad(message: string, section = "5.1.4"): VirtioError {
  return new VirtioError("BAD_ARGUMENT", message, { section });
}
