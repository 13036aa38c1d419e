/**
 * The fields about the whole device (§4.1.4.3): features, status and generation in the common configuration, and what
 * the legacy window has of them (§4.1.4.10).
 */
import type { VirtioDevice } from "../device/device";
import {
  VIRTIO_PCI_COMMON_ADM_Q_IDX,
  VIRTIO_PCI_COMMON_ADM_Q_NUM,
  VIRTIO_PCI_COMMON_CFGGENERATION,
  VIRTIO_PCI_COMMON_DF,
  VIRTIO_PCI_COMMON_DFSELECT,
  VIRTIO_PCI_COMMON_GF,
  VIRTIO_PCI_COMMON_GFSELECT,
  VIRTIO_PCI_COMMON_NUMQ,
  VIRTIO_PCI_COMMON_STATUS,
  VIRTIO_PCI_GUEST_FEATURES,
  VIRTIO_PCI_HOST_FEATURES,
} from "../spec/pci";
import type { PciRegister } from "./pci-register";

/** The words that a driver could have accepted through the common configuration alone. */
const BEYOND_LEGACY = [1, 2, 3];

/** The fields of one device. */
export class PciDeviceFields {
  deviceFeatureSelect = 0;
  driverFeatureSelect = 0;
  private readonly device: VirtioDevice;
  private readonly onReset: () => void;

  /** @param onReset 0 was written to the status; the device has begun its reset */
  constructor(device: VirtioDevice, onReset: () => void) {
    this.device = device;
    this.onReset = onReset;
  }

  /** A reset of the function. */
  reset(): void {
    this.deviceFeatureSelect = 0;
    this.driverFeatureSelect = 0;
  }

  registers(): PciRegister[] {
    const { device } = this;
    return [
      {
        at: VIRTIO_PCI_COMMON_DFSELECT,
        bytes: 4,
        name: "device_feature_select",
        read: () => this.deviceFeatureSelect,
        write: (word) => {
          this.deviceFeatureSelect = word;
        },
      },
      {
        at: VIRTIO_PCI_COMMON_DF,
        bytes: 4,
        name: "device_feature",
        read: () => device.readFeatures(this.deviceFeatureSelect),
      },
      {
        at: VIRTIO_PCI_COMMON_GFSELECT,
        bytes: 4,
        name: "driver_feature_select",
        read: () => this.driverFeatureSelect,
        write: (word) => {
          this.driverFeatureSelect = word;
        },
      },
      {
        at: VIRTIO_PCI_COMMON_GF,
        bytes: 4,
        name: "driver_feature",
        read: () => device.accepted.word(this.driverFeatureSelect),
        write: (bits) => device.writeFeatures(this.driverFeatureSelect, bits),
      },
      { at: VIRTIO_PCI_COMMON_NUMQ, bytes: 2, name: "num_queues", read: () => device.queueCount },
      this.statusRegister(VIRTIO_PCI_COMMON_STATUS),
      {
        at: VIRTIO_PCI_COMMON_CFGGENERATION,
        bytes: 1,
        name: "config_generation",
        read: () => device.configGeneration() & 0xff,
      },
      // ADMIN_VQ is never offered here: there are no administration virtqueues.
      { at: VIRTIO_PCI_COMMON_ADM_Q_IDX, bytes: 2, name: "admin_queue_index", read: () => 0 },
      { at: VIRTIO_PCI_COMMON_ADM_Q_NUM, bytes: 2, name: "admin_queue_num", read: () => 0 },
    ];
  }

  /** §4.1.4.10: word 0 alone, and the device takes the others for not accepted. */
  legacyFeatureRegisters(): PciRegister[] {
    const { device } = this;
    return [
      {
        at: VIRTIO_PCI_HOST_FEATURES,
        bytes: 4,
        name: "device features",
        read: () => device.readFeatures(0),
      },
      {
        at: VIRTIO_PCI_GUEST_FEATURES,
        bytes: 4,
        name: "driver features",
        read: () => device.accepted.word(0),
        write: (bits) => {
          for (const word of BEYOND_LEGACY) {
            if (device.accepted.word(word) !== 0) device.writeFeatures(word, 0);
          }
          device.writeFeatures(0, bits);
        },
      },
    ];
  }

  /** device_status at its place in a window. */
  statusRegister(at: number): PciRegister {
    const { device } = this;
    return {
      at,
      bytes: 1,
      name: "device_status",
      read: () => device.readStatus(),
      write: (value) => {
        device.writeStatus(value);
        // At once, even if the device takes its time: of what was, nobody is notified any more (§2.4.1).
        if (value === 0) this.onReset();
      },
    };
  }
}
