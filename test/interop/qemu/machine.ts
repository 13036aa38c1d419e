/**
 * One QEMU without firmware or a running processor: its virtio-mmio slots or its PCI bus are reached through qtest, its
 * guest RAM is a file in /dev/shm. Every wait is bounded, and `timeout` ends a QEMU that outlives its test.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Qemu } from "./binaries";
import { BOARDS, SLOT_BASE } from "./boards";
import { Qmp } from "./qmp";
import { Qtest, QtestBus, type QtestOptions } from "./qtest-bus";
import { QtestPciBus } from "./qtest-pci-bus";

/** What every machine is started with. */
const QUIET = ["-qtest-log", "none", "-nodefaults", "-display", "none"];
/** Bytes of guest RAM, from guest address 0 on. */
export const RAM_BYTES = 64 * 1024 * 1024;
const SLOTS = 8;
const SLOT_BYTES = 0x200;
const DEVICE_ID = 0x008;
/** How long QEMU may take to start, in milliseconds, and to live, in seconds. */
const START_PATIENCE = 10_000;
/** How long an answer may take, in milliseconds. */
const PATIENCE = 5000;
const LIFETIME = "60";

/** How a machine is started. */
export interface MachineOptions {
  /** How long an answer may take, in milliseconds. Default 5000. */
  readonly patience?: number;
  /** Open a monitor, too. Default false. */
  readonly qmp?: boolean;
}

/** A running QEMU. */
export class Machine {
  /** Guest RAM: a file, open for reading and writing. */
  readonly ram: number;
  readonly qtest: Qtest;
  private readonly qmp: Qmp | undefined;
  private readonly child: ChildProcess;
  private readonly exited: Promise<void>;
  private readonly folder: string;
  private readonly ramPath: string;

  private constructor(
    child: ChildProcess,
    folder: string,
    ramPath: string,
    qtest: Qtest,
    qmp: Qmp | undefined,
  ) {
    this.child = child;
    this.qmp = qmp;
    this.exited = exitOf(child);
    this.folder = folder;
    this.ramPath = ramPath;
    this.qtest = qtest;
    this.ram = openSync(ramPath, constants.O_RDWR);
  }

  /**
   * Starts QEMU and waits until it answers.
   *
   * @param devices further arguments: `-device`s and what they rest on
   * @throws Error with QEMU's stderr when it doesn't start
   */
  static async start(qemu: Qemu, devices: readonly string[], options: MachineOptions = {}): Promise<Machine> {
    if (qemu.path === undefined) throw new Error(qemu.missing);
    const folder = mkdtempSync(join(tmpdir(), "virtq-qemu-"));
    const ramPath = join("/dev/shm", basename(folder));
    const pipe = join(folder, "qt");
    execFileSync("mkfifo", [`${pipe}.in`, `${pipe}.out`]);
    const ram = `memory-backend-file,id=mem,size=${RAM_BYTES},mem-path=${ramPath},share=on`;
    const monitor = join(folder, "qmp");
    const board = BOARDS[qemu.board];
    const argv = [
      ...[...board.argv, ...QUIET, "-object", ram, "-qtest", `pipe:${pipe}`],
      ...(options.qmp ? ["-qmp", `unix:${monitor},server=on,wait=off`] : []),
      ...devices,
    ];
    const stderr = openSync(join(folder, "stderr"), "w");
    const child = spawn("timeout", ["-k", "0.5", LIFETIME, qemu.path, ...argv], {
      stdio: ["ignore", "ignore", stderr],
    });
    closeSync(stderr);
    try {
      const qtest = await connect(child, pipe, board.greeting, {
        complaints: () => readFileSync(join(folder, "stderr"), "utf8"),
        isAlive: () => isRunning(child.pid),
        patience: options.patience ?? PATIENCE,
      });
      const qmp = options.qmp ? await Qmp.open(monitor) : undefined;
      return new Machine(child, folder, ramPath, qtest, qmp);
    } catch (error) {
      await end(child, exitOf(child));
      remove(folder, ramPath);
      throw error;
    }
  }

  /** The windows of a microvm's devices, in the order of the command line: QEMU fills the slots from the highest down. */
  devices(): QtestBus[] {
    const slots = Array.from({ length: SLOTS }, (_, i) => SLOT_BASE + (SLOTS - 1 - i) * SLOT_BYTES);
    return slots.map((base) => new QtestBus(this.qtest, base)).filter((bus) => bus.read(DEVICE_ID, 4) !== 0);
  }

  /** The PCI function of a device that was asked for with `addr=`, its BARs placed. */
  pci(device: number): QtestPciBus {
    return new QtestPciBus(this.qtest, device);
  }

  /** Gives the monitor a command; the machine was started with `qmp`. */
  async monitor(command: string, args?: object): Promise<unknown> {
    if (this.qmp === undefined) throw new Error(`no monitor for "${command}"`);
    return this.qmp.command(command, args);
  }

  /** Process ID of QEMU itself, which `timeout` has started. */
  get pid(): number {
    const { pid } = this.child;
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim());
  }

  /** Ends this QEMU and removes its files. */
  async stop(): Promise<void> {
    this.qmp?.close();
    await end(this.child, this.exited);
    this.qtest.close();
    closeSync(this.ram);
    remove(this.folder, this.ramPath);
  }
}

/** A FIFO can be opened for writing once QEMU reads it, and QEMU is ready once it answers. */
async function connect(
  child: ChildProcess,
  pipe: string,
  greeting: string,
  options: QtestOptions,
): Promise<Qtest> {
  const output = openSync(`${pipe}.out`, constants.O_RDONLY | constants.O_NONBLOCK);
  const deadline = Date.now() + START_PATIENCE;
  const { complaints } = options;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`QEMU ended with ${child.exitCode}: ${complaints()}`);
    if (Date.now() > deadline)
      throw new Error(`QEMU is not ready after ${START_PATIENCE} ms: ${complaints()}`);
    try {
      const input = openSync(`${pipe}.in`, constants.O_WRONLY | constants.O_NONBLOCK);
      const qtest = new Qtest(input, output, options);
      qtest.command(greeting);
      return qtest;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENXIO") throw error;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
}

/** A child that has ended is a zombie while Node, waiting for an answer, has no time to hear of it. */
function isRunning(pid: number | undefined): boolean {
  return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
}

/** `timeout` hands SIGTERM on to its QEMU and kills it half a second later. */
async function end(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.kill("SIGTERM");
  await exited;
}

function exitOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once("exit", () => resolve());
  });
}

function remove(folder: string, ramPath: string): void {
  rmSync(folder, { recursive: true, force: true });
  rmSync(ramPath, { force: true });
}
