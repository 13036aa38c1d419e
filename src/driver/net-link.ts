/** Address and link of a network device, as its driver reads them out of the configuration (§5.1.4.2). */
import type { FeatureSet } from "../negotiation/feature-set";
import {
  VIRTIO_NET_DUPLEX_FULL,
  VIRTIO_NET_DUPLEX_HALF,
  VIRTIO_NET_S_LINK_UP,
  VIRTIO_NET_SPEED_MAX,
} from "../spec/net";
import type { FieldValue } from "./config-reader";

/** The link of a network device. */
export interface NetLink {
  /** Without STATUS the link counts as up. */
  readonly up: boolean;
  /** Mbit/s; undefined if it is not known. */
  readonly speed: number | undefined;
  /** Undefined if it is not known. */
  readonly duplex: "half" | "full" | undefined;
}

/** What can read the configuration of an initialised device. */
interface Reader {
  readConfigFields(names: readonly string[]): Promise<FieldValue[]>;
}

/** Reads the link's state and speed, of one version of the configuration. */
export async function readLink(driver: Reader, negotiated: FeatureSet): Promise<NetLink> {
  const hasStatus = negotiated.has("STATUS", "net");
  const hasSpeed = negotiated.has("SPEED_DUPLEX", "net");
  const names = [...(hasSpeed ? ["speed", "duplex"] : []), ...(hasStatus ? ["status"] : [])];
  const values = (await driver.readConfigFields(names)).map(Number);
  const [speed = VIRTIO_NET_SPEED_MAX + 1, duplex = 0xff] = hasSpeed ? values : [];
  const status = hasStatus ? (values.at(-1) ?? 0) : VIRTIO_NET_S_LINK_UP;
  return {
    up: (status & VIRTIO_NET_S_LINK_UP) !== 0,
    // Everything above the bound, and every other duplex value, is unknown.
    speed: speed > VIRTIO_NET_SPEED_MAX ? undefined : speed,
    duplex:
      duplex === VIRTIO_NET_DUPLEX_FULL ? "full" : duplex === VIRTIO_NET_DUPLEX_HALF ? "half" : undefined,
  };
}

/** The six bytes of the configuration field `mac`. */
export function macBytes(mac: FieldValue): Uint8Array {
  const value = BigInt(mac ?? 0);
  return Uint8Array.from({ length: 6 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

/** A random address that is locally administered and no group's (§5.1.4.2). */
export function localMac(): Uint8Array {
  const mac = Uint8Array.from({ length: 6 }, () => Math.floor(Math.random() * 256));
  mac[0] = ((mac[0] ?? 0) & 0xfc) | 0x02;
  return mac;
}
