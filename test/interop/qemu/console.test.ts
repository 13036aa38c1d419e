/** virtio-console of QEMU (§5.3) behind the driver half: bytes both ways at once, through a pair of FIFOs. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { expect, it } from "vitest";
import { CONSOLE_DRIVER_FEATURES, ConsoleDriver } from "../../../src/driver/console";
import { Guest } from "./guest";
import { eachQemu } from "./lab";
import { featuresOf, propertiesOf, ringsOf, titleOf } from "./rings";

/** Many times round a ring of 8, and less than a FIFO holds. */
const BYTES = 30_000;

eachQemu("virtio-console", (lab) => {
  it.each(ringsOf(lab.qemu).map((ring) => [titleOf(ring), ring] as const))("%s", async (title, ring) => {
    const pipe = lab.file("tty");
    execFileSync("mkfifo", [`${pipe}.in`, `${pipe}.out`]);
    const machine = await lab.start([
      ...["-chardev", `pipe,id=tty,path=${pipe}`, "-device", `virtio-serial-device,${propertiesOf(ring)}`],
      ...["-device", "virtconsole,chardev=tty"],
    ]);
    const guest = await Guest.of(machine);
    const driver = await guest.attach(machine.devices()[0], {
      supports: [...featuresOf(ring), ...CONSOLE_DRIVER_FEATURES],
      deviceType: "console",
      queues: 2,
      queueSize: 8,
    });
    expect(await driver.initialize()).toMatchObject({ ok: true, ring });
    const tty = await ConsoleDriver.start(driver, guest.core, guest.allocator);
    const input = openSync(`${pipe}.in`, constants.O_WRONLY | constants.O_NONBLOCK);
    const output = openSync(`${pipe}.out`, constants.O_RDONLY | constants.O_NONBLOCK);
    const sent = randomBytes(BYTES);
    const typed = randomBytes(BYTES);
    expect(writeSync(input, typed)).toBe(BYTES);
    const got: Buffer[] = [];
    let written = 0;
    await guest.until(async () => {
      tty.poll((bytes) => got.push(Buffer.from(bytes)));
      written += tty.write(sent.subarray(written));
      await tty.submit();
      const received = got.reduce((sum, part) => sum + part.length, 0);
      return written === BYTES && tty.inFlight === 0 && received >= BYTES;
    });
    expect(Buffer.concat(got).equals(typed)).toBe(true);
    const shown = Buffer.alloc(BYTES + 1);
    expect(readSync(output, shown)).toBe(BYTES);
    expect(shown.subarray(0, BYTES).equals(sent)).toBe(true);
    closeSync(input);
    closeSync(output);
    lab.tell(`console: ${title}; ${BYTES} bytes each way`);
  });
});
