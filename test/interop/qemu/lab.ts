/** The frame of every test against QEMU: for each QEMU there is a folder and a machine a test, both gone afterwards. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { QEMUS, type Qemu } from "./binaries";
import { Machine, type MachineOptions } from "./machine";

/** What a test works with. */
export class Lab {
  readonly qemu: Qemu;
  private folder = "";
  private machine: Machine | undefined;

  constructor(qemu: Qemu) {
    this.qemu = qemu;
  }

  /** A path in a folder that is the test's own. */
  file(name: string): string {
    return join(this.folder, name);
  }

  /** Starts the test's machine, with these devices and what they rest on. */
  async start(devices: readonly string[], options: MachineOptions = {}): Promise<Machine> {
    this.machine = await Machine.start(this.qemu, devices, options);
    return this.machine;
  }

  /** Lets QEMU's virtual clock, which stands still by itself, go on by so many seconds. */
  advance(seconds: number): void {
    this.machine?.qtest.command(`clock_step ${seconds * 1e9}`);
  }

  open(): void {
    this.folder = mkdtempSync(join(tmpdir(), "virtq-interop-"));
  }

  async close(): Promise<void> {
    await this.machine?.stop();
    this.machine = undefined;
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** What was negotiated and moved, for whoever reads the output. */
  tell(what: string): void {
    console.log(`${this.qemu.name}, ${what}`);
  }
}

/** Runs tests for each QEMU. One that is missing fails under CI, and says how to get it elsewhere. */
export function eachQemu(what: string, body: (lab: Lab) => void, qemus: readonly Qemu[] = QEMUS): void {
  for (const qemu of qemus) {
    if (qemu.path === undefined) {
      it(`${qemu.name} is there: ${what}`, ({ skip }) => {
        console.warn(qemu.missing);
        skip(process.env.CI === undefined, qemu.missing);
        expect.fail(qemu.missing);
      });
      continue;
    }
    describe(`${qemu.name}: ${what}`, () => {
      const lab = new Lab(qemu);
      beforeEach(() => lab.open());
      afterEach(() => lab.close());
      body(lab);
    });
  }
}
