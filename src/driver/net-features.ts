/**
 * What a network driver knows, and how it judges an offer and a configuration (§5.1.3, §5.1.4): the checks that
 * Linux's driver makes before FEATURES_OK, as hooks for a VirtioDriver.
 */
import { VirtioError } from "../errors";
import { VIRTIO_NET_MTU_MIN } from "../spec/net";
import type { FieldValue } from "./config-reader";
import type { ValidateContext } from "./initialisation";

/** The features that the driver takes care of by itself; add the ring's. */
export const NET_DRIVER_FEATURES: readonly string[] = ["MTU", "MAC", "MRG_RXBUF", "STATUS", "SPEED_DUPLEX"];

/** The features whose header fields its user fills in and reads; add them if you do. */
export const NET_DRIVER_OFFLOADS: readonly string[] = [
  "CSUM",
  "GUEST_CSUM",
  "GUEST_TSO4",
  "GUEST_TSO6",
  "GUEST_ECN",
  "GUEST_UFO",
  "HOST_TSO4",
  "HOST_TSO6",
  "HOST_ECN",
  "HOST_UFO",
];

/** What can only be asked for over a control queue. */
const NEED_CTRL_VQ = [
  "CTRL_RX",
  "CTRL_VLAN",
  "GUEST_ANNOUNCE",
  "MQ",
  "CTRL_MAC_ADDR",
  "RSS",
  "HASH_REPORT",
  "NOTF_COAL",
];

/**
 * For the driver's `validate`: drops an MTU that no IPv4 host can live with, and STANDBY without an address to share.
 *
 * @returns the features to drop
 * @throws VirtioError FEATURES_REFUSED if a feature is to be accepted that needs CTRL_VQ, and CTRL_VQ isn't
 */
export async function netValidate({ accepted, readConfigField }: ValidateContext): Promise<string[]> {
  const has = (name: string) => accepted.has(name, "net");
  const orphan = has("CTRL_VQ") ? undefined : NEED_CTRL_VQ.find(has);
  if (orphan !== undefined) {
    throw new VirtioError("FEATURES_REFUSED", `the device offers ${orphan} without CTRL_VQ`, {
      section: "5.1.3.1",
    });
  }
  const drops: string[] = [];
  if (has("MTU") && isTooSmall(await readConfigField("mtu"))) drops.push("MTU");
  if (has("STANDBY") && !has("MAC")) drops.push("STANDBY");
  return drops;
}

/**
 * For the driver's `probe`, after FEATURES_OK: reads mtu once more, which a device must not change (§5.1.4.1).
 *
 * @throws VirtioError CONFIG_UNSTABLE if it is below 68 now
 */
export async function netProbe({ accepted, readConfigField }: ValidateContext): Promise<void> {
  if (!accepted.has("MTU", "net")) return;
  const mtu = await readConfigField("mtu");
  if (!isTooSmall(mtu)) return;
  const text = `mtu ${mtu} is below ${VIRTIO_NET_MTU_MIN}: it was not before FEATURES_OK`;
  throw new VirtioError("CONFIG_UNSTABLE", text, { section: "5.1.4.1" });
}

function isTooSmall(mtu: FieldValue): boolean {
  return Number(mtu ?? 0) < VIRTIO_NET_MTU_MIN;
}
