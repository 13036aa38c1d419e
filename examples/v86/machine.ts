/// <reference types="vite/client" />
/** The emulator with our devices on its bus: all that concerns virtq on this page stands here. */
import { V86 } from "v86";
import wasmUrl from "v86/build/v86.wasm?url";
import type { ControlEvent } from "virtq";
import { BlkModel, ConsoleModel, MemoryBackend, NetModel, RngModel } from "virtq/models";
import { type Attachment, attach } from "virtq/v86";
import type { Images } from "./download";
import { ADDRESSES } from "./guest-init";
import { plugNeighbour } from "./neighbour";

const MIB = 1024 * 1024;
const DISK_BYTES = 32 * MIB;
/** v86 puts the initrd at 64 MiB. */
const MEMORY_BYTES = 128 * MIB;

/** What is heard of the guest. */
export interface Listeners {
  /** A character on the first serial port: the kernel's log. */
  readonly onSerial: (text: string) => void;
  /** What the guest writes to the console of ours. */
  readonly onConsole: (text: string) => void;
  /** A device, by name, has settled a ring's layout. */
  readonly onLayout: (device: string, layout: string) => void;
}

/** A machine that has not begun to run. */
export interface Machine {
  readonly emulator: V86;
  readonly attachment: Attachment;
  readonly console: ConsoleModel;
}

/**
 * Makes the machine.
 *
 * @throws VirtioError EMULATOR_UNSUPPORTED for a v86 that lacks what `attach` needs
 */
export async function makeMachine(
  images: Images,
  { onSerial, onConsole, onLayout }: Listeners,
): Promise<Machine> {
  const emulator = new V86({
    wasm_path: wasmUrl,
    bios: { buffer: images.bios },
    vga_bios: { buffer: images.vgaBios },
    bzimage: { buffer: images.kernel },
    initrd: { buffer: images.initrd },
    cmdline: "console=ttyS0 tsc=reliable mitigations=off random.trust_cpu=on",
    memory_size: MEMORY_BYTES,
    acpi: false,
    autostart: false,
    fastboot: true,
    disable_keyboard: true,
    disable_mouse: true,
    disable_speaker: true,
  });
  emulator.add_listener("serial0-output-byte", (byte) => onSerial(String.fromCharCode(byte)));
  await new Promise<void>((resolve) => emulator.add_listener("emulator-ready", resolve));

  const decoder = new TextDecoder();
  const terminal = new ConsoleModel({
    onOutput: (bytes) => onConsole(decoder.decode(bytes, { stream: true })),
  });
  const net = new NetModel({ mac: "52:54:00:12:34:56" });
  plugNeighbour(net, ADDRESSES.neighbour);
  const models = {
    disk: new BlkModel(new MemoryBackend(new Uint8Array(DISK_BYTES)), { id: "virtq" }),
    network: net,
    entropy: new RngModel(),
    console: terminal,
  };
  const specs = Object.entries(models).map(([name, model]) => {
    const onEvent = ({ step, after }: ControlEvent) => {
      if (step === "layout" && after !== undefined) onLayout(name, after);
    };
    return { name, model, onEvent };
  });
  const attachment = await attach(emulator, specs);
  return { emulator, attachment, console: terminal };
}
