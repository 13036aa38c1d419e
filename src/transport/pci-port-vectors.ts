/**
 * MSI-X as a driver uses it (§4.1.5.1.2): which vector each event is mapped to, with the read-back that says whether the
 * device could. The table's entries and the capability's enable bit are the platform's.
 */
import { VirtioError } from "../errors";
import { hex } from "../negotiation/control-event";
import { VIRTIO_MSI_NO_VECTOR } from "../spec/pci";
import {
  PCI_CAP_ID_MSIX,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_MSIX_FLAGS_QSIZE,
} from "../spec/pci-header";
import type { PciBus } from "./pci-bus";
import type { ListedCapability } from "./pci-port-capabilities";
import type { PortRegister } from "./pci-port-window";
import type { Sequence } from "./register-sequence";

/** Entries of the MSI-X table, 0 up to its size; what has none is not notified. */
export interface PciPortVectors {
  /** For configuration changes. */
  readonly config?: number;
  /** For used buffers of a queue. */
  readonly queue?: (index: number) => number | undefined;
}

/** The MSI-X vectors of one function. */
export class PortVectors {
  /** Whether MSI-X is on: ISR status is of no use then, and the legacy interface has two registers more (§4.1.4.10). */
  readonly isEnabled: boolean;
  readonly #tableSize: number;
  readonly #wanted: PciPortVectors | undefined;
  readonly #queues = new Map<number, number>();
  #isConfigMapped = false;

  private constructor(flags: number | undefined, wanted: PciPortVectors | undefined) {
    this.isEnabled = ((flags ?? 0) & PCI_MSIX_FLAGS_ENABLE) !== 0;
    this.#tableSize = flags === undefined ? 0 : (flags & PCI_MSIX_FLAGS_QSIZE) + 1;
    this.#wanted = wanted;
  }

  /**
   * Looks at the function's MSI-X capability.
   *
   * @param wanted absent: events are not mapped, and the interrupt line is used
   * @throws VirtioError PCI_VECTOR if vectors are wanted and MSI-X is off or absent, BAD_ARGUMENT for one beyond the table
   */
  static async of(
    bus: PciBus,
    capabilities: readonly ListedCapability[],
    wanted: PciPortVectors | undefined,
  ): Promise<PortVectors> {
    const at = capabilities.find(({ id }) => id === PCI_CAP_ID_MSIX)?.at;
    const flags = at === undefined ? undefined : await bus.readConfig(at + PCI_MSIX_FLAGS, 2);
    const vectors = new PortVectors(flags, wanted);
    if (wanted !== undefined && !vectors.isEnabled) {
      const state = flags === undefined ? "absent" : `off, Message Control reads ${hex(flags, 4)}`;
      throw new VirtioError("PCI_VECTOR", `vectors are wanted, and MSI-X is ${state}`, {
        section: "4.1.5.1.2",
      });
    }
    vectors.#checked(wanted?.config, "the configuration");
    return vectors;
  }

  /** No event is mapped after a reset (§4.1.5.1.2.1). */
  wereReset(): void {
    this.#queues.clear();
    this.#isConfigMapped = false;
  }

  /** Maps configuration changes, once between two resets. @throws VirtioError PCI_VECTOR */
  *mapConfig(register: PortRegister): Sequence<void> {
    if (this.#wanted === undefined || this.#isConfigMapped) return;
    yield* map(register, this.#wanted.config ?? VIRTIO_MSI_NO_VECTOR, "the configuration");
    this.#isConfigMapped = true;
  }

  /** @throws VirtioError BAD_ARGUMENT for a vector beyond the table */
  queueVector(index: number): number {
    return this.#checked(this.#wanted?.queue?.(index), `queue ${index}`) ?? VIRTIO_MSI_NO_VECTOR;
  }

  /** Maps used buffers of the selected queue. @throws VirtioError PCI_VECTOR */
  *mapQueue(register: PortRegister, index: number, vector: number): Sequence<void> {
    if (this.#wanted === undefined) return;
    yield* map(register, vector, `queue ${index}`);
    this.#queues.set(index, vector);
  }

  /** The queues that are mapped to a vector. */
  queuesOf(vector: number): number[] {
    return [...this.#queues].filter(([, mapped]) => mapped === vector).map(([index]) => index);
  }

  /** Whether configuration changes are mapped to it. */
  isConfig(vector: number): boolean {
    return this.#isConfigMapped && this.#wanted?.config === vector;
  }

  #checked(vector: number | undefined, what: string): number | undefined {
    if (vector === undefined) return undefined;
    if (Number.isInteger(vector) && vector >= 0 && vector < this.#tableSize) return vector;
    const text = `vector ${vector} for ${what}: the MSI-X table has ${this.#tableSize}`;
    throw new VirtioError("BAD_ARGUMENT", text, { section: "4.1.5.1.2.2" });
  }
}

/** §4.1.5.1.2.2: success is what reads back. */
function* map(register: PortRegister, vector: number, what: string): Sequence<void> {
  yield register.write(vector);
  const shown = yield register.read();
  if (shown === vector) return;
  const text = `vector ${hex(vector, 4)} for ${what} reads back as ${hex(shown, 4)}: the device couldn't map it`;
  throw new VirtioError("PCI_VECTOR", text, { section: "4.1.5.1.2.2" });
}
