/** A QEMU that doesn't start, hangs or dies: each ends after a bound, with what QEMU wrote to its stderr. */
import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { INSTALLED } from "./binaries";
import { eachQemu } from "./lab";
import { Machine } from "./machine";

eachQemu("failures", (lab) => {
  it("one that doesn't know its device says so", async () => {
    const start = lab.start(["-device", "virtio-nothing-device"]);
    await expect(start).rejects.toThrow(/QEMU ended .*virtio-nothing-device/s);
  });

  it("one that hangs is given up after the bound, and ended", async () => {
    const machine = await lab.start(["-device", "virtio-rng-device"], { patience: 200 });
    const { pid } = machine;
    process.kill(pid, "SIGSTOP");
    expect(() => machine.devices()).toThrow(
      'QEMU did not answer for 200 ms at "readl 0xfeb00e08"; its stderr: empty',
    );
    await lab.close();
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  });

  it("one that dies is told apart from one that hangs", async () => {
    const machine = await lab.start(["-device", "virtio-rng-device"]);
    process.kill(machine.pid, "SIGKILL");
    expect(() => machine.devices()).toThrow(/QEMU ended at "readl/);
  });
});

it("one that is missing says how to get it", async () => {
  const missing = { ...INSTALLED, path: undefined, missing: "no QEMU: install it" };
  await expect(Machine.start(missing, [])).rejects.toThrow("no QEMU: install it");
});
