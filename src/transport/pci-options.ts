/**
 * What a virtio-pci function is made with, and what of that can't be right.
 */
import type { VirtioDevice } from "../device/device";
import { VirtioError } from "../errors";
import { nameAndBit } from "../negotiation/feature-names";
import { VIRTIO_F_ADMIN_VQ } from "../spec/features";
import { PCI_MSIX_VECTORS_MAX } from "../spec/pci-header";
import type { GuestAddress } from "../virtqueue/layout";
import type { PciIdentityOptions } from "./pci-identity";
import type { PciLayoutOptions } from "./pci-layout";
import type { MsixMessage } from "./pci-msix";
import type { PciNotifyOptions } from "./pci-notify";
import type { SharedMemoryRegion } from "./shared-memory";

/** What a function is made with. */
export interface PciOptions extends PciIdentityOptions, PciNotifyOptions {
  /**
   * A transitional device (§4.1.4.10): the legacy window in BAR 0, the old IDs and revision 0. Its profile must know
   * legacy drivers; `LEGACY_DETECTIONS["by-window"]` sees here which window they use. Default false.
   */
  readonly transitional?: boolean;
  /** Where the structures of §4.1.4 lie. Default: memory, BAR 4. */
  readonly structures?: PciLayoutOptions;
  /** Shared memory regions (§2.10), in BAR 2: `base` counts from its start. What lies there is the emulator's. */
  readonly sharedMemory?: readonly SharedMemoryRegion[];
  /** Addresses that the BARs have from the start, by index, each a multiple of its size. Default 0: the guest's to set. */
  readonly barAddresses?: Readonly<Record<number, GuestAddress>>;
  /** Drives INTA#: called at each change of the level, from within whatever caused it. */
  readonly onInterrupt?: (level: boolean) => void;
  /** Delivers a message of MSI-X. Without it there is no MSI-X. */
  readonly onMessage?: (message: MsixMessage) => void;
  /** Vectors of the MSI-X table, 1…2048, or 0 for none. Default one for each queue and one for the configuration. */
  readonly vectors?: number;
  /** The command register or a BAR was written: `barBase` may answer differently. */
  readonly onDecode?: () => void;
}

/**
 * How many vectors the table has.
 *
 * @throws VirtioError BAD_ARGUMENT for options that can't be right
 */
export function checkPciOptions(device: VirtioDevice, options: PciOptions): { readonly vectors: number } {
  const { onMessage, transitional = false } = options;
  // There is no administration virtqueue behind it (§2.13).
  if (device.offered.has(VIRTIO_F_ADMIN_VQ))
    bad(`a device on PciTransport can't offer ${nameAndBit(VIRTIO_F_ADMIN_VQ)}`);
  if (transitional && device.profile.legacy === undefined)
    bad(`a transitional device is for legacy drivers, of which profile "${device.profile.name}" knows none`);
  const enough = Math.min(device.queueCount + 1, PCI_MSIX_VECTORS_MAX);
  const { vectors = onMessage === undefined ? 0 : enough } = options;
  if (!Number.isInteger(vectors) || vectors < 0 || vectors > PCI_MSIX_VECTORS_MAX)
    bad(`${vectors} vectors are not within 0…${PCI_MSIX_VECTORS_MAX}`);
  if (vectors > 0 && onMessage === undefined)
    bad(`${vectors} vectors, and no onMessage to take their messages`);
  return { vectors };
}

function bad(reason: string): never {
  throw new VirtioError("BAD_ARGUMENT", reason, { section: "4.1" });
}
