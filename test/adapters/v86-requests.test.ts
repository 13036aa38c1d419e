/** The queue that v86's models pop from, with a driver and a model that do everything in a random order. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { type QueueHome, UPGRADED_BATCH, UpgradedQueue } from "../../src/adapters/v86/queue";
import type { PoppedRequest } from "../../src/adapters/v86/request";
import { type Core, loadCoreSync } from "../../src/core/core";
import { DeviceQueue } from "../../src/virtqueue/device-queue";
import { DriverQueue } from "../../src/virtqueue/driver-queue";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";
import type { RingLayout } from "../../src/virtqueue/layout";
import { Random } from "../property/random";
import { areasOf, ringOf } from "../virtqueue/queue-rig";

afterEach(() => {
  vi.restoreAllMocks();
});

const SIZE = 64;
const ROOM = 48;

/** What the driver gave, and what has to come back. */
interface Sent {
  readonly text: string;
  readonly answer: { readonly address: number; readonly room: number };
}

class Rig {
  readonly core: Core = loadCoreSync({ guestBytes: 1 << 20 });
  readonly driver: DriverQueue;
  readonly queue: UpgradedQueue;
  readonly sent = new Map<number, Sent>();
  readonly held: { readonly request: PoppedRequest; readonly text: string }[] = [];
  live = true;
  broken: unknown;
  interrupts = 0;
  came = 0;
  private readonly allocator = new GuestAllocator(this.core);
  private readonly random: Random;
  private readonly indirect: boolean;
  private count = 0;

  constructor(ring: RingLayout, seed: number) {
    const areas = areasOf(this.allocator, ring.layout, SIZE);
    this.random = new Random(seed);
    this.indirect = ring.indirect;
    const indirect = ring.indirect
      ? { indirect: { tables: this.allocator.allocate(SIZE * 8 * 16, 16), entries: 8 } }
      : {};
    this.driver = new DriverQueue(this.core, { index: 0, ring, size: SIZE, areas, ...indirect });
    const rig = this;
    const home: QueueHome = {
      core: this.core,
      ring,
      get isLive() {
        return rig.live;
      },
      onTouched: () => {},
      interrupt: () => {
        this.interrupts++;
      },
      violation: (error) => this.breakDown(error),
      breakDown: (error) => this.breakDown(error),
    };
    this.queue = new UpgradedQueue(home, 0, { size_supported: SIZE, notify_offset: 0 } as UpgradedQueue);
    this.queue.desc_addr = Number(areas.descriptor);
    this.queue.avail_addr = Number(areas.driver);
    this.queue.used_addr = Number(areas.device);
    this.queue.enable();
  }

  private breakDown(error: unknown): void {
    this.live = false;
    this.broken ??= error;
  }

  /** Adds chains of one to six segments, some with room for an answer, while there is room for them. */
  give(): void {
    for (let n = this.random.below(2 * UPGRADED_BATCH); n > 0 && this.driver.free > 8; n--) {
      const text = `request ${this.count++}`;
      const room = this.random.below(3) === 0 ? 0 : ROOM;
      const address = Number(this.allocator.allocate(64 + ROOM));
      this.core.view(address, text.length).set(Buffer.from(text));
      const readable = pieces(this.random, address, text.length);
      const writable = room === 0 ? [] : pieces(this.random, address + 64, room);
      const indirect = this.indirect && this.random.below(2) === 0;
      const token = this.driver.add(readable, writable, { indirect });
      this.sent.set(token, { text, answer: { address: address + 64, room } });
    }
    this.driver.publish();
  }

  /** Pops some requests, and holds them. */
  pop(): void {
    for (let n = this.random.below(UPGRADED_BATCH + 8); n > 0 && this.queue.has_request(); n--) {
      const request = this.queue.pop_request();
      const bytes = new Uint8Array(request.length_readable);
      // A model may read now, or when it replies.
      if (this.random.below(2) === 0) request.get_next_blob(bytes);
      this.held.push({ request, text: Buffer.from(bytes).toString("latin1") });
    }
  }

  /** Replies to held requests: in their order, or to any of them. */
  reply(): void {
    const anywhere = this.random.below(2) === 0;
    for (let n = this.random.below(UPGRADED_BATCH + 8); n > 0 && this.held.length > 0; n--) {
      const [{ request, text }] = this.held.splice(anywhere ? this.random.below(this.held.length) : 0, 1) as [
        (typeof this.held)[number],
      ];
      let read = text;
      if (text.startsWith("\0")) {
        const bytes = new Uint8Array(request.length_readable);
        request.get_next_blob(bytes);
        read = Buffer.from(bytes).toString("latin1");
      }
      if (request.length_writable > 0) request.set_next_blob(Buffer.from(`answer to ${read}`));
      this.queue.push_reply(request);
      if (this.random.below(4) === 0) this.queue.push_reply(request); // as v86's console does
    }
  }

  /** Takes back what was used and looks at the answers. */
  reclaim(): void {
    for (let n = this.driver.takeUsed(); n > 0; n = this.driver.takeUsed()) {
      for (let i = 0; i < n; i++) {
        const token = this.driver.used.token(i);
        const sent = this.sent.get(token);
        if (sent === undefined) throw new Error(`token ${token} was not sent`);
        this.sent.delete(token);
        const { address, room } = sent.answer;
        const answer = room === 0 ? "" : `answer to ${sent.text}`;
        expect(this.driver.used.length(i)).toBe(answer.length);
        expect(Buffer.from(this.core.view(address, answer.length)).toString("latin1")).toBe(answer);
        this.came++;
      }
    }
  }

  /** v86's snapshot, from which it goes on itself. */
  snapshot(): void {
    const text = JSON.stringify(this.queue.get_state());
    if (this.held.length === 0 && this.random.below(2) === 0) this.queue.set_state(JSON.parse(text));
  }

  step(): void {
    const steps = [
      () => this.give(),
      () => this.pop(),
      () => this.reply(),
      () => this.queue.flush_replies(),
      () => this.reclaim(),
      () => this.random.below(4) === 0 && this.snapshot(),
    ];
    steps[this.random.below(steps.length)]?.();
  }

  /** Serves what is left. */
  finish(): void {
    for (let i = 0; i < 200 && this.sent.size > 0; i++) {
      this.pop();
      this.reply();
      this.queue.flush_replies();
      this.reclaim();
    }
  }
}

/** Bytes as up to three buffers. */
function pieces(random: Random, address: number, length: number) {
  const cuts = [0, random.below(length + 1), random.below(length + 1), length].sort((a, b) => a - b);
  return cuts
    .slice(1)
    .map((end, i) => ({ address: address + (cuts[i] ?? 0), length: end - (cuts[i] ?? 0) }))
    .filter((piece) => piece.length > 0);
}

const RINGS = (["split", "packed"] as const).flatMap((layout) =>
  [{}, { indirect: true }, { inOrder: true }].map((features) => ringOf(layout, features)),
);

describe.each(RINGS)("$layout, indirect $indirect, IN_ORDER $inOrder", (ring) => {
  it("every request is answered once, whatever the model does first", () => {
    let came = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const rig = new Rig(ring, seed);
      for (let i = 0; i < 120; i++) rig.step();
      rig.finish();
      expect([rig.broken, rig.sent.size]).toEqual([undefined, 0]);
      came += rig.came;
    }
    expect(came).toBeGreaterThan(2000);
  });

  it("in their order they are used together, otherwise one by one", () => {
    const together = vi.spyOn(DeviceQueue.prototype, "completeBatch");
    const later = vi.spyOn(DeviceQueue.prototype, "completeLater");
    const rig = new Rig(ring, 1);
    while (rig.sent.size < 8) rig.give();
    const count = rig.sent.size;
    while (rig.queue.has_request()) rig.queue.push_reply(rig.queue.pop_request());
    expect(rig.driver.takeUsed()).toBe(0);
    rig.queue.flush_replies();
    expect(rig.driver.takeUsed()).toBe(count);
    rig.sent.clear();
    expect([together.mock.calls, later.mock.calls]).toEqual([[[count]], []]);
    while (rig.sent.size < 2) rig.give();
    // Not asked whether there is another: that would take again, and end the row.
    const requests = Array.from(rig.sent, () => rig.queue.pop_request());
    for (const request of requests.toReversed()) rig.queue.push_reply(request);
    rig.queue.flush_replies();
    // The first one, which came last, is in row.
    expect(later).toHaveBeenCalledTimes(requests.length - 1);
    expect(together).toHaveBeenLastCalledWith(1);
    expect(rig.driver.takeUsed()).toBe(requests.length);
  });

  it("a chain that is too long for a model ends in an empty request, even of a device that nothing stops", () => {
    const rig = new Rig(ring, 1);
    Object.defineProperty(rig, "live", { get: () => true, set: () => {} });
    const readable = Array.from({ length: 17 }, () => ({ address: 0x80000, length: 65536 }));
    expect(rig.driver.add(readable)).toBeGreaterThan(0);
    rig.driver.publish();
    expect(rig.queue.has_request()).toBe(false);
    expect(rig.queue.pop_request().length_readable).toBe(0);
    expect(rig.broken).toMatchObject({ code: "CHAIN_BYTES_OVERFLOW" });
  });

  it("a dead device is given nothing and uses nothing", () => {
    const rig = new Rig(ring, 1);
    while (rig.sent.size < 8) rig.give();
    const first = rig.queue.pop_request();
    const second = rig.queue.pop_request();
    rig.live = false;
    rig.queue.push_reply(second);
    rig.queue.push_reply(first);
    rig.queue.flush_replies();
    expect(rig.queue.has_request()).toBe(false);
    expect(rig.driver.takeUsed()).toBe(0);
  });
});
