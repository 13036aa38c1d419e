/** v86's 9p and console devices with our queues in them: answers that come late, in any order, or twice. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { loadV86Core } from "../../src/adapters/v86/memory";
import { VIRTIO_PCI_ISR_QUEUE } from "../../src/spec/pci";
import { type StockDevice, upgrade } from "../../src/v86";
import { Driven, LIVE, negotiate, type Side } from "./v86-driven";
import { V86Machine } from "./v86-machine";

let machine: V86Machine | undefined;
const violation = vi.fn();

afterEach(async () => {
  await machine?.stop();
  expect(violation).not.toHaveBeenCalled();
});

async function started(options: Parameters<typeof V86Machine.start>[0], type: StockDevice): Promise<Side> {
  machine = await V86Machine.start(options);
  await upgrade(machine.emulator, { onViolation: violation });
  return { registers: machine.registers(type), core: await loadV86Core(machine.cpu, 4 * 65536) };
}

const PACKED = ["VERSION_1", "RING_PACKED", "INDIRECT_DESC"];

describe("9p", () => {
  /** size[4] type[1] tag[2]: a request and its reply in one. */
  const message = (tag: number): Buffer => Buffer.from([7, 0, 0, 0, 100, tag, 0]);
  const room = 16;

  async function server(answer = (request: Uint8Array) => request) {
    const replies: (() => void)[] = [];
    const handle9p = (request: Uint8Array, reply: (bytes: Uint8Array) => void) =>
      void replies.push(() => reply(answer(request)));
    const side = await started({ filesystem: { handle9p } }, "9p");
    return { side, replies };
  }

  it("answers in any order", async () => {
    const { side, replies } = await server();
    const queue = new Driven(side, 0, negotiate(side, PACKED));
    side.registers.status = LIVE;
    const buffers = [1, 2, 3].map((tag) => queue.add(message(tag), room));
    queue.publish();
    for (const i of [2, 0, 1]) {
      replies[i]?.();
      expect(side.registers.isr).toBe(VIRTIO_PCI_ISR_QUEUE);
      expect(queue.used()).toEqual([7]);
      const buffer = buffers[i];
      if (buffer !== undefined) expect(queue.bytes(buffer, 7)).toEqual(message(i + 1));
    }
  });

  it("writes as much of an answer as there is room for", async () => {
    const { side, replies } = await server((bytes) => Buffer.concat([bytes, Buffer.alloc(room, 0xee)]));
    const queue = new Driven(side, 0, negotiate(side, PACKED));
    side.registers.status = LIVE;
    const buffer = queue.add(message(1), room);
    queue.publish();
    replies[0]?.();
    expect(queue.used()).toEqual([room]);
    expect(queue.bytes(buffer, room + 1)).toEqual(
      Buffer.concat([message(1), Buffer.alloc(room - 7, 0xee), Buffer.alloc(1)]),
    );
  });

  it("RESET §2.4.1 device: an answer after the reset reaches neither the new ring nor the old buffer", async () => {
    const { side, replies } = await server();
    const before = new Driven(side, 0, negotiate(side, PACKED));
    side.registers.status = LIVE;
    const lost = before.add(message(1), room);
    before.publish();
    before.end();
    const after = new Driven(side, 0, negotiate(side, PACKED));
    side.registers.status = LIVE;
    replies[0]?.();
    expect(after.bytes(lost, room)).toEqual(Buffer.alloc(room));
    expect(after.used()).toEqual([]);
    expect(side.registers.isr).toBe(0);
    const buffer = after.add(message(2), room);
    after.publish();
    replies[1]?.();
    expect(after.used()).toEqual([7]);
    expect(after.bytes(buffer, 7)).toEqual(message(2));
  });
});

describe("9p on v86's own file system", () => {
  /** Twalk from a fid that was never opened, on which v86's model fails. */
  const unknownFid = Buffer.from([17, 0, 0, 0, 110, 1, 0, 9, 0, 0, 0, 10, 0, 0, 0, 0, 0]);

  it("a request that its model fails on breaks the device alone", async () => {
    const side = await started({ filesystem: {} }, "9p");
    const queue = new Driven(side, 0, negotiate(side, PACKED));
    side.registers.status = LIVE;
    queue.add(unknownFid, 64);
    queue.publish();
    await vi.waitUntil(() => violation.mock.calls.length > 0);
    expect(violation.mock.calls.map(([error]) => error.code)).toEqual(["INTERNAL"]);
    expect(side.registers.status).toBe(LIVE | 0x40);
    expect(queue.used()).toEqual([]);
    violation.mockClear();
  });

  it("and not the device of after a reset", async () => {
    const side = await started({ filesystem: {} }, "9p");
    const queue = new Driven(side, 0, negotiate(side, PACKED));
    side.registers.status = LIVE;
    queue.add(unknownFid, 64);
    queue.publish();
    side.registers.status = 0;
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(side.registers.status).toBe(0);
  });
});

describe("the console", () => {
  const [CONTROL_RX, CONTROL_TX] = [2, 3];
  const PORT_READY = 3;
  /** id, event, value. */
  const control = (event: number): Buffer => Buffer.from([0, 0, 0, 0, event, 0, 1, 0]);

  it("acknowledges a message twice, which uses its buffer once", async () => {
    const side = await started({ virtio_console: { type: "none" } }, "console");
    const negotiated = negotiate(side, [...PACKED, "VIRTIO_CONSOLE_F_MULTIPORT"]);
    const receive = new Driven(side, CONTROL_RX, negotiated);
    const send = new Driven(side, CONTROL_TX, negotiated);
    side.registers.status = LIVE;
    for (let i = 0; i < 4; i++) receive.add(Buffer.alloc(0), 64);
    receive.publish();
    send.add(control(PORT_READY), 0);
    send.publish();
    expect(send.used()).toEqual([0]);
    expect(send.queue.inFlight).toBe(0);
    // PORT_OPEN, its name, CONSOLE_PORT.
    expect(receive.used()).toEqual([8, 17, 8]);
  });

  it("sends to a driver without buffers, and nothing comes of it", async () => {
    const side = await started({ virtio_console: { type: "none" } }, "console");
    const negotiated = negotiate(side, [...PACKED, "VIRTIO_CONSOLE_F_MULTIPORT"]);
    const send = new Driven(side, CONTROL_TX, negotiated);
    side.registers.status = LIVE;
    send.add(control(PORT_READY), 0);
    send.publish();
    expect(send.used()).toEqual([0]);
    expect(side.registers.status).toBe(LIVE);
  });
});
