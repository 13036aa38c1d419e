// The console device: output, input into whatever receive buffers there are, size, emergency writes (§5.3).
import { describe, expect, it } from "vitest";
import { ConsoleModel, type ConsoleOptions } from "../../src/models/console";
import { cut, LAYOUTS, openRig, pattern, UNWRITTEN } from "./rig";

const RX = 0;
const TX = 1;
const text = (value: string) => new TextEncoder().encode(value);

async function open(options: ConsoleOptions = {}, ring: readonly string[] = ["VERSION_1"]) {
  const output: number[] = [];
  const pieces: number[] = [];
  const model = new ConsoleModel({
    onOutput: (bytes) => {
      output.push(...bytes);
      pieces.push(bytes.length);
    },
    ...options,
  });
  let configChanges = 0;
  const rig = await openRig(
    model,
    [...ring, "SIZE", "EMERG_WRITE"],
    {},
    {
      onConfigChange: () => configChanges++,
    },
  );
  const said = () => new TextDecoder().decode(Uint8Array.from(output.splice(0)));
  return { rig, model, output, pieces, said, changes: () => configChanges };
}

describe.each(LAYOUTS)("a console on %s", (_, ring) => {
  it("shows what the driver sends, in order", async () => {
    const { rig, said } = await open({}, ring);
    expect(rig.ask([text("hello, "), text("world")], [], TX).length).toBe(0);
    expect(rig.ask(cut(text("again"), [1, 1, 2]), [], TX).length).toBe(0);
    expect(said()).toBe("hello, worldagain");
  });

  it("puts input into receive buffers as they come", async () => {
    const { rig, model } = await open({}, ring);
    const first = rig.send([], [4], RX);
    const second = rig.send([], [2, 3], RX);
    expect(rig.device.process()).toBe("done");
    expect(rig.used(RX)).toEqual([]);
    expect(model.input(text("abcdefg"))).toBe(7);
    rig.device.process();
    expect(rig.used(RX).map(({ length }) => length)).toEqual([4, 3]);
    expect(rig.answerOf(first)).toEqual([...text("abcd")]);
    expect(rig.answerOf(second)).toEqual([...text("efg"), UNWRITTEN, UNWRITTEN]);
  });

  it("keeps input until there is a buffer, and takes no buffer before there is input", async () => {
    const { rig, model } = await open({}, ring);
    model.input(text("early"));
    rig.device.process();
    expect(rig.ask([], [16], RX)).toMatchObject({ length: 5 });
    for (let i = 0; i < 3; i++) rig.send([], [1], RX);
    rig.device.process();
    expect(rig.used(RX)).toEqual([]);
    for (const letter of "xyz") {
      model.input(text(letter));
      rig.device.process();
      expect(rig.used(RX).map(({ length }) => length)).toEqual([1]);
    }
  });
});

describe("a console", () => {
  it("keeps the bytes apart that it hands out: the guest may write on", async () => {
    const kept: Uint8Array[] = [];
    const { rig } = await open({ onOutput: (bytes) => kept.push(bytes) });
    rig.ask([text("one")], [], TX);
    rig.ask([text("two")], [], TX);
    expect(kept.map((bytes) => new TextDecoder().decode(bytes))).toEqual(["one", "two"]);
  });

  it("takes no more input than its backlog holds, and the rest once there is room", async () => {
    const { rig, model } = await open({ backlog: 8 });
    expect(model.input(text("0123456789"))).toBe(8);
    expect(model.input(text("89"))).toBe(0);
    expect(rig.ask([], [3], RX).answer).toEqual([...text("012")]);
    expect(model.input(text("89"))).toBe(2);
    expect(rig.ask([], [16], RX).answer.slice(0, 7)).toEqual([...text("3456789")]);
  });

  it("takes no input while no driver runs, and forgets what waits at a reset", async () => {
    const { rig, model } = await open();
    model.input(text("lost"));
    await rig.driver.reset();
    expect(model.input(text("none"))).toBe(0);
    await rig.driver.initialize();
    model.input(text("new"));
    expect(rig.ask([], [8], RX)).toMatchObject({ length: 3 });
  });

  it("can be typed into while it shows output", async () => {
    const echoing: ConsoleModel = new ConsoleModel({ onOutput: (bytes) => void echoing.input(bytes) });
    const rig = await openRig(echoing, ["VERSION_1"]);
    const answer = rig.send([], [8], RX);
    rig.send([text("ping")], [], TX);
    rig.device.process();
    expect(rig.answerOf(answer).slice(0, 4)).toEqual([...text("ping")]);
    expect(rig.used(RX)).toHaveLength(1);
    expect(rig.used(TX)).toHaveLength(1);
  });

  it("tells a new size, and notifies a driver that negotiated SIZE", async () => {
    const { rig, model, changes } = await open({ cols: 132, rows: 43 });
    expect(await rig.driver.readConfigFields(["cols", "rows"])).toEqual([132, 43]);
    const before = rig.device.configGeneration();
    model.resize(90, 30);
    expect(changes()).toBe(1);
    expect(rig.device.configGeneration()).not.toBe(before);
    expect(await rig.driver.readConfigFields(["cols", "rows"])).toEqual([90, 30]);
    await rig.driver.initialize({ supports: ["VERSION_1"] });
    model.resize(91, 31);
    expect(changes()).toBe(1);
  });

  it.each([
    [{ offers: ["MULTIPORT"] }, "the console model cannot offer MULTIPORT, only SIZE, EMERG_WRITE"],
    [{ offers: ["SIZES"] }, "did you mean SIZE?"],
    [{ cols: 70_000 }, "70000 × 25"],
    [{ rows: 0.5 }, "80 × 0.5"],
  ])("options %j", (options, message) => {
    expect(() => new ConsoleModel(options)).toThrow(message);
    expect(() => new ConsoleModel({ offers: [] }).resize(1, 1)).toThrow("offers no SIZE");
  });
});

describe("hostile drivers", () => {
  it.each([
    ["a transmit chain with a writable buffer", TX, [text("ab")], [4], 0, "ab"],
    ["a transmit chain with nothing to read", TX, [], [4], 0, ""],
    ["a receive chain with a readable buffer", RX, [text("ab")], [4], 2, ""],
    ["a receive chain with nothing to write", RX, [text("ab")], [], 0, ""],
  ])("%s: survived, used and counted", async (_, index, readable, writable, length, shown) => {
    const { rig, model, said } = await open();
    model.input(text("in"));
    expect(rig.ask(readable, writable, index).length).toBe(length);
    expect(model.breaches).toBe(1);
    expect(said()).toBe(shown);
    expect(rig.ask([text("go on")], [], TX).length).toBe(0);
    expect(model.breaches).toBe(1);
  });

  it("a chain of 16 MiB in one MiB of memory: other queues have their turns meanwhile", async () => {
    let shown = 0;
    const { rig, model } = await open({ onOutput: ({ length }) => (shown += length) });
    const big = { address: rig.allocator.allocate(1 << 20), length: 1 << 20 };
    rig.queueAt(TX).add(new Array(16).fill(big));
    await rig.driver.kick(TX);
    const waiting = rig.send([], [8], RX);
    model.input(text("quick"));
    expect(rig.device.process()).toBe("more");
    expect(rig.answerOf(waiting).slice(0, 5)).toEqual([...text("quick")]);
    expect(shown).toBeLessThanOrEqual(1 << 20);
    for (let before = shown; rig.device.process() === "more"; before = shown) {
      expect(shown - before).toBeLessThanOrEqual(1 << 20);
    }
    expect(shown).toBe(16 << 20);
    expect(rig.used(TX)).toEqual([{ token: expect.any(Number), length: 0 }]);
  });

  it("a chain whose bytes are half read when the device or its queue is reset is dropped", async () => {
    const { rig, output, said } = await open();
    const start = () => {
      const big = { address: rig.allocator.allocate(1 << 20), length: 1 << 20 };
      rig.queueAt(TX).add(new Array(4).fill(big));
      void rig.driver.kick(TX);
      expect(rig.device.process(2)).toBe("more"); // the first turn is the receiveq's
      expect(output).toHaveLength(0x10000);
      output.length = 0;
    };
    start();
    await rig.driver.initialize();
    expect(rig.device.process()).toBe("done");
    expect(rig.ask([text("fresh")], [], TX).length).toBe(0);
    expect(said()).toBe("fresh");
    await rig.driver.initialize({ supports: ["VERSION_1", "RING_RESET"] });
    start();
    rig.device.resetQueue(TX);
    expect(rig.device.process()).toBe("done");
    expect(output).toEqual([]);
    const queue = rig.queueAt(TX);
    queue.reset();
    rig.device.enableQueue(TX, { size: queue.size, areas: queue.areas });
    expect(rig.ask([text("anew")], [], TX).length).toBe(0);
    expect(said()).toBe("anew");
  });

  it("bytes that arrive in pieces are the bytes that were sent", async () => {
    const { rig, output } = await open();
    const bytes = pattern(200_001, 5);
    rig.send(cut(bytes, [3, 70_000, 1, 65_536]), [], TX);
    while (rig.device.process() === "more");
    expect(Buffer.from(output).equals(bytes)).toBe(true);
  });
});
