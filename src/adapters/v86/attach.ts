/**
 * Puts devices of ours on v86's PCI bus: they work on guest RAM where it lies, in the layout that the guest negotiates,
 * with v86 as it is.
 */
import type { DeviceModel } from "../../device/model";
import { VirtioError } from "../../errors";
import { type AttachOptions, budgetOf, type DeviceSpec, namedSpecs } from "./attach-options";
import { Attachment } from "./attachment";
import type { V86Cpu } from "./emulator";
import { v86Emulator } from "./hooks";
import { loadV86Core, stateOf } from "./memory";

/** Emulators with devices on them. */
const attached = new WeakSet<V86Cpu>();

/**
 * Attaches devices, before the guest looks for them: between the "emulator-ready" event and `run()`. Snapshots are then
 * restored into an emulator with the same devices attached in the same order.
 *
 * @param emulator a `V86` made with `autostart: false`
 * @param devices models, or models with what else is to be said of them
 * @throws VirtioError EMULATOR_UNSUPPORTED naming what this v86 lacks, DEVICE_BUSY for an emulator that has devices
 *   attached, BAD_ARGUMENT for devices or options that can't be right, or too many
 */
export async function attach(
  emulator: object,
  devices: readonly (DeviceModel | DeviceSpec)[],
  options: AttachOptions = {},
): Promise<Attachment> {
  const v86 = v86Emulator(emulator);
  const specs = namedSpecs(devices);
  const { cpu } = v86.v86;
  if (attached.has(cpu))
    throw new VirtioError(
      "DEVICE_BUSY",
      "the emulator has devices attached: give all of them to one attach()",
    );
  const budget = budgetOf(options);
  const sizes = specs.flatMap(({ model }) => model.queues.map(({ maxSize }) => maxSize));
  const onDispose = () => void attached.delete(cpu);
  attached.add(cpu);
  try {
    const core = await loadV86Core(cpu, stateOf(sizes));
    return new Attachment({ emulator: v86, core, specs, budget, onDispose });
  } catch (error) {
    onDispose();
    throw error;
  }
}
