/**
 * Which MSI-X vector an event is mapped to (§4.1.5.1.2): config_msix_vector and queue_msix_vector. A vector that the
 * table doesn't have is a failed mapping and reads back as NO_VECTOR.
 */
import type { VirtioDevice } from "../device/device";
import { VirtioError } from "../errors";
import { VIRTIO_MSI_NO_VECTOR } from "../spec/pci";
import type { PciRegister } from "./pci-register";
import { untimely } from "./queue-select";

/** The mapping of the configuration change, and the judge of all mappings. */
export class PciVectors {
  /** The vector of configuration changes. */
  config = VIRTIO_MSI_NO_VECTOR;
  private readonly device: VirtioDevice;
  /** Vectors that the MSI-X table has, 0 without one. */
  readonly count: number;

  constructor(device: VirtioDevice, count: number) {
    this.device = device;
    this.count = count;
  }

  /** All events are unmapped. */
  reset(): void {
    this.config = VIRTIO_MSI_NO_VECTOR;
  }

  /** What a written vector reads back as: itself, or NO_VECTOR if it can't be had. */
  granted(name: string, vector: number): number {
    if (vector < this.count || vector === VIRTIO_MSI_NO_VECTOR) return vector;
    const reason = `${name} ${vector}: the MSI-X table has ${this.count} vectors`;
    this.device.violation(new VirtioError("BAD_ARGUMENT", reason, { section: "4.1.5.1.2.2" }));
    return VIRTIO_MSI_NO_VECTOR;
  }

  /** config_msix_vector at its place in a window. */
  register(at: number): PciRegister {
    const name = "config_msix_vector";
    return {
      at,
      bytes: 2,
      name,
      read: () => this.config,
      write: (vector) => {
        const refusal = untimely(this.device, `${name} ${vector}`);
        if (refusal === undefined) this.config = this.granted(name, vector);
        else this.device.violation(refusal);
      },
    };
  }
}
