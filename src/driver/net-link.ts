/** The link as a network driver reads it out of the configuration (§5.1.4.2). */
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
