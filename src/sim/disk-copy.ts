/**
 * The schedule of a disk copy, on one thread: the first driver reads blocks into guest memory, the second writes them
 * from there, several at once; a block's guest memory is used again when its write has come back.
 */
import { BlkDriver } from "../driver/blk";
import { VIRTIO_BLK_S_OK, VIRTIO_BLK_S_UNSUPP, VIRTIO_BLK_SECTOR_SIZE } from "../spec/blk";
import type { Session } from "./session";

/** A checked copy. */
export interface CopyPlan {
  readonly sectors: number;
  /** Data of one request in bytes. */
  readonly blockSize: number;
  /** Requests for each publish, and in flight. */
  readonly batch: number;
  readonly indirect: boolean;
  /** Offset of a byte to be inverted in guest memory. */
  readonly flipByte?: number;
}

/** A piece of the disk and where it lies in guest memory. */
interface Block {
  readonly address: number;
  sector: number;
  bytes: number;
}

const HEADER_BYTES = 16;
const STATUS_BYTES = 1;

/** One copy under way. */
export class DiskCopy {
  /** Requests that came back, of both devices. */
  chains = 0;
  /** Descriptors that they took in the rings. */
  descriptors = 0;
  /** Bytes of the disk that were copied. */
  copied = 0;
  /** What a device answered, if it was an error. */
  failure: string | undefined;
  readonly bytes = { toDevice: 0, fromDevice: 0 };
  private readonly plan: CopyPlan;
  private readonly reading: Side;
  private readonly writing: Side;
  private readonly free: Block[];
  private readonly read: Block[] = [];
  private next = 0;

  private constructor(plan: CopyPlan, reading: Side, writing: Side, free: Block[]) {
    this.plan = plan;
    this.reading = reading;
    this.writing = writing;
    this.free = free;
  }

  /** Takes guest memory for the blocks and makes the two block drivers. */
  static async start(from: Session, to: Session, plan: CopyPlan): Promise<DiskCopy> {
    const options = { slots: plan.batch, indirect: plan.indirect };
    const side = async (session: Session) =>
      new Side(session, await BlkDriver.start(session.driver, session.core, session.allocator, options));
    const { allocator } = from;
    const free = Array.from({ length: plan.batch }, () => {
      return { address: allocator.allocate(plan.blockSize, VIRTIO_BLK_SECTOR_SIZE), sector: 0, bytes: 0 };
    });
    return new DiskCopy(plan, await side(from), await side(to), free);
  }

  get isDone(): boolean {
    return this.failure !== undefined || this.copied === this.plan.sectors * VIRTIO_BLK_SECTOR_SIZE;
  }

  /** One turn of each side. */
  round(): void {
    const before = this.chains;
    const { reading, writing } = this;
    reading.turn(
      (block, status) => this.wasRead(block, status),
      () => this.addReads(),
    );
    writing.turn(
      (block, status) => this.wasWritten(block, status),
      () => this.addWrites(),
    );
    const isIdle = this.chains === before && this.read.length === 0 && !reading.hasUsed && !writing.hasUsed;
    if (isIdle && !this.isDone) this.failure ??= `nothing came back any more at sector ${this.next}`;
  }

  /** Has the second device make everything durable, if it can. */
  flush(): void {
    if (this.writing.session.driver.negotiated?.has("FLUSH", "blk") !== true) return;
    const block = { address: 0, sector: 0, bytes: 0 };
    const { writing } = this;
    for (let flushed = false; !flushed && this.failure === undefined; ) {
      const before = this.chains;
      writing.turn(
        (_, status) => {
          this.count(2, 0, 0);
          flushed = true;
          if (status !== VIRTIO_BLK_S_OK) this.failed("flush", block, status);
        },
        () => {
          if (writing.driver.inFlight === 0 && !flushed) writing.add(writing.driver.flush(), block);
        },
      );
      if (this.chains === before && !writing.hasUsed) this.failure ??= "the flush did not come back";
    }
  }

  private addReads(): void {
    const { sectors, blockSize } = this.plan;
    const { reading, free } = this;
    while (this.next < sectors) {
      const block = free.pop();
      if (block === undefined) break;
      block.sector = this.next;
      block.bytes = Math.min(blockSize, (sectors - this.next) * VIRTIO_BLK_SECTOR_SIZE);
      reading.add(reading.driver.read(block.sector, block.address, block.bytes), block);
      this.next += block.bytes / VIRTIO_BLK_SECTOR_SIZE;
    }
  }

  private wasRead(block: Block, status: number): void {
    this.count(3, 0, block.bytes);
    if (status !== VIRTIO_BLK_S_OK) this.failed("read", block, status);
    this.flip(block);
    this.read.push(block);
  }

  private addWrites(): void {
    const { writing, read } = this;
    for (const block of read.splice(0)) {
      writing.add(writing.driver.write(block.sector, block.address, block.bytes), block);
    }
  }

  private wasWritten(block: Block, status: number): void {
    this.count(3, block.bytes, 0);
    if (status !== VIRTIO_BLK_S_OK) this.failed("write", block, status);
    this.copied += block.bytes;
    this.free.push(block);
  }

  private count(buffers: number, toDevice: number, fromDevice: number): void {
    this.chains++;
    this.descriptors += this.plan.indirect ? 1 : buffers;
    this.bytes.toDevice += HEADER_BYTES + toDevice;
    this.bytes.fromDevice += STATUS_BYTES + fromDevice;
  }

  private flip({ address, sector, bytes }: Block): void {
    const at = (this.plan.flipByte ?? -1) - sector * VIRTIO_BLK_SECTOR_SIZE;
    if (at < 0 || at >= bytes) return;
    const view = this.reading.session.core.view(address + at, 1);
    view[0] = ~(view[0] ?? 0);
  }

  private failed(what: string, { sector }: Block, status: number): void {
    const name = status === VIRTIO_BLK_S_UNSUPP ? "VIRTIO_BLK_S_UNSUPP" : "VIRTIO_BLK_S_IOERR";
    this.failure ??= `${what} of sector ${sector} ended with ${name} (${status})`;
  }
}

/** One device and its block driver, and which block each request in flight is about. */
class Side {
  readonly session: Session;
  readonly driver: BlkDriver;
  private readonly blocks = new Map<number, Block>();

  constructor(session: Session, driver: BlkDriver) {
    this.session = session;
    this.driver = driver;
  }

  get hasUsed(): boolean {
    return this.session.queue.hasUsed();
  }

  add(token: number, block: Block): void {
    this.blocks.set(token, block);
  }

  turn(done: (block: Block, status: number) => void, submit: () => void): void {
    const { session, driver, blocks } = this;
    const reclaim = () =>
      driver.poll((token, status) => {
        const block = blocks.get(token);
        blocks.delete(token);
        if (block !== undefined) done(block, status);
      });
    session.turn(reclaim, () => {
      const before = blocks.size;
      submit();
      if (blocks.size > before) session.publish();
    });
  }
}
