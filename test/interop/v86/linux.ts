/**
 * One Linux in v86 under Node, driven over its first serial port. Every wait is bounded and its error shows the end of
 * what the guest printed. `start` gives the emulator before its first instruction, so that devices can be added.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { V86, type V86Options } from "v86";
import { checkImage, type ImageName } from "../../../examples/v86/guest-images";
import { initrd, READY } from "./initrd";
import type { GuestFiles } from "./packages";
import { BOOT_PATIENCE, PATIENCE } from "./patience";

/** The initrd is put at 64 MiB, so that RAM ends behind it; v86 wants a multiple of 128 KiB. */
const MEMORY_BYTES = 128 * 1024 * 1024;
/** What the kernel is told. */
export const CMDLINE = "console=ttyS0 tsc=reliable mitigations=off random.trust_cpu=on quiet";
const TAIL = 2_000;
/** The end of a command that nobody waited for any more. */
const STALE = /\nvirtq-\d+ \d+\n/;

/** What a command printed, and its exit code. */
export interface Result {
  readonly output: string;
  readonly code: number;
}

/** What can be chosen for a boot. */
export interface LinuxOptions {
  /** v86's own options, for its stock devices. */
  readonly v86?: Partial<V86Options>;
  /** Whether the firmware finds kernel and initrd on an attached disk; otherwise v86 puts them into memory, once. */
  readonly fromDisk?: boolean;
  /** Called when the emulator is complete and before it runs. */
  readonly prepare?: (emulator: V86) => void | Promise<void>;
  /** Where the console goes too, besides what commands take of it. */
  readonly onOutput?: (text: string) => void;
}

/** A guest that runs. */
export class Linux {
  readonly emulator: V86;
  private readonly onOutput: ((text: string) => void) | undefined;
  /** What was printed and belongs to no command yet. */
  private printed = "";
  private tail = "";
  private waiting: (() => void) | undefined;
  private commands = 0;

  private constructor(emulator: V86, onOutput: LinuxOptions["onOutput"]) {
    this.emulator = emulator;
    this.onOutput = onOutput;
    emulator.add_listener("serial0-output-byte", (byte) => this.receive(String.fromCharCode(byte)));
  }

  /** Boots to the init's loop. @throws Error with the console's end when that takes too long */
  static async start(files: GuestFiles, options: LinuxOptions = {}): Promise<Linux> {
    return Linux.make(files, options, async (linux) => {
      await linux.emulator.run();
      await linux.until("the boot", BOOT_PATIENCE, READY);
    });
  }

  /** Goes on where another guest of the same files and options was saved, between two commands. */
  static async resume(files: GuestFiles, state: ArrayBuffer, options: LinuxOptions = {}): Promise<Linux> {
    return Linux.make(files, options, async ({ emulator }) => {
      await emulator.restore_state(state);
      await emulator.run();
    });
  }

  private static async make(
    files: GuestFiles,
    options: LinuxOptions,
    begin: (linux: Linux) => Promise<void>,
  ): Promise<Linux> {
    const emulator = new V86({
      wasm_path: createRequire(import.meta.url).resolve("v86/build/v86.wasm"),
      bios: { buffer: contents("bios", files.bios) },
      vga_bios: { buffer: contents("vgaBios", files.vgaBios) },
      ...(options.fromDisk ? {} : kernelOf(files)),
      memory_size: MEMORY_BYTES,
      acpi: false,
      autostart: false,
      fastboot: true,
      ...options.v86,
    });
    const linux = new Linux(emulator, options.onOutput);
    try {
      await new Promise<void>((resolve) => emulator.add_listener("emulator-ready", () => resolve()));
      await options.prepare?.(emulator);
      await begin(linux);
    } catch (error) {
      await linux.stop();
      throw error;
    }
    return linux;
  }

  /**
   * Runs a line of shell; one at a time.
   *
   * @param command without a line feed, at most 4000 characters
   * @throws Error with the console's end when it takes longer than `patience` milliseconds
   */
  async run(command: string, patience = PATIENCE): Promise<Result> {
    const tag = `virtq-${++this.commands}`;
    this.emulator.serial0_send(`${tag} ${command}\n`);
    const [output = "", code] = await this.until(command, patience, new RegExp(`\\n${tag} (\\d+)\\n`));
    return { output: output.split(STALE).at(-1)?.trim() ?? "", code: Number(code) };
  }

  /** {@link run} of what must succeed. @throws Error with the output of what didn't */
  async succeed(command: string, patience?: number): Promise<string> {
    const { output, code } = await this.run(command, patience);
    if (code !== 0) throw new Error(`${command}: exit code ${code}: ${output}`);
    return output;
  }

  /**
   * Reboots from inside, to the init's loop; what v86 put into RAM must be brought back (reload.ts), a disk stays.
   *
   * @throws Error with the console's end when that takes too long
   */
  async reboot(): Promise<void> {
    this.emulator.serial0_send(`virtq-${++this.commands} reboot -f\n`);
    await this.until("the reboot", BOOT_PATIENCE, READY);
  }

  /** {@link reboot} by the machine's reset button. */
  async restart(): Promise<void> {
    this.emulator.restart();
    await this.until("the restart", BOOT_PATIENCE, READY);
  }

  /** Sends an event to v86's devices, as its adapters do. */
  send(event: string, value: unknown): void {
    (this.emulator as unknown as { bus: { send(event: string, value: unknown): void } }).bus.send(
      event,
      value,
    );
  }

  /** Ends the guest. */
  async stop(): Promise<void> {
    await this.emulator.destroy();
  }

  private receive(text: string): void {
    this.printed += text;
    this.tail = (this.tail + text).slice(-TAIL);
    this.onOutput?.(text);
    this.waiting?.();
  }

  /** Waits for a mark; gives what stands before it and the mark's groups, and forgets both. */
  private until(what: string, patience: number, mark: string | RegExp): Promise<string[]> {
    return new Promise((resolve, reject) => {
      const end = (how: () => void) => {
        this.waiting = undefined;
        clearTimeout(timer);
        how();
      };
      const look = () => {
        const found = this.printed.match(mark);
        if (found === null) return;
        const before = this.printed.slice(0, found.index);
        this.printed = this.printed.slice((found.index ?? 0) + found[0].length);
        end(() => resolve([before, ...found.slice(1)]));
      };
      const timer = setTimeout(
        () =>
          end(() => reject(new Error(`${what}: nothing after ${patience} ms; the console:\n${this.tail}`))),
        patience,
      );
      this.waiting = look;
      look();
    });
  }
}

function kernelOf(files: GuestFiles): Partial<V86Options> {
  return {
    bzimage: { buffer: contents("kernel", files.kernel) },
    initrd: { buffer: exact(initrd(files)) },
    cmdline: CMDLINE,
  };
}

const exact = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;

/** @throws GuestImageError for a file that v86 can't boot, which v86 would not say */
function contents(name: ImageName, path: string): ArrayBuffer {
  const bytes = readFileSync(path);
  checkImage(name, bytes);
  return exact(bytes);
}
