/** Our device half behind its virtio-mmio window (§4.2), in one of its profiles. */
import { loadCoreSync } from "../../../src/core/core";
import { VirtioDevice } from "../../../src/device/device";
import { DEVICE_PROFILES } from "../../../src/device/profiles";
import { MmioTransport } from "../../../src/transport/mmio";
import { RawMemory } from "../../raw-ring";
import { DEVICES, type DeviceName, type ProbedDevice } from "./devices";
import { GUEST_BYTES, type Subject } from "./subject";

/** The profiles that are held against QEMU, which is reached over MMIO. */
export const PROFILES = ["strict", "qemu-mmio"] as const;
export type ProfileName = (typeof PROFILES)[number];

/** A device of ours. */
export class OurSubject implements Subject {
  readonly memory: RawMemory;
  private readonly device: VirtioDevice;
  private readonly mmio: MmioTransport;

  constructor(name: DeviceName, profile: ProfileName) {
    const core = loadCoreSync({ guestBytes: GUEST_BYTES });
    const { model, offers = [] }: ProbedDevice = DEVICES[name];
    const offer = [...DEVICE_PROFILES[profile].offers, ...offers];
    this.device = new VirtioDevice(core, model(), { profile, offer });
    this.mmio = new MmioTransport(this.device);
    this.memory = new RawMemory(() => core.view(0, GUEST_BYTES));
  }

  read(offset: number, bytes: 1 | 2 | 4): number {
    return this.mmio.read(offset, bytes);
  }

  write(offset: number, bytes: 1 | 2 | 4, value: number): void {
    this.mmio.write(offset, value, bytes);
    while (this.device.process() === "more");
  }

  async stop(): Promise<void> {
    this.device.dispose();
  }
}
