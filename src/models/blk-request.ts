/**
 * One request of a block device (§5.2.6): the header copied out of guest memory, however the driver cut it into
 * buffers (§2.7.4.2), and where its data and its status byte lie. What to do with it is blk.ts.
 */
import {
  VIRTIO_BLK_REQ_HEADER_SIZE,
  VIRTIO_BLK_REQ_SECTOR,
  VIRTIO_BLK_REQ_TYPE,
  VIRTIO_BLK_S_OK,
} from "../spec/blk";
import type { Chain } from "../virtqueue/chain";
import { GuestRange } from "./guest-range";

const header = new Uint8Array(VIRTIO_BLK_REQ_HEADER_SIZE);
const fields = new DataView(header.buffer);
const zeros = new Uint8Array(4096);

/** A parsed request, on a chain of its own that outlives the call that delivered it. */
export class BlkRequest {
  readonly token: number;
  /** VIRTIO_BLK_T_*, or any other u32. */
  readonly type: number;
  /** First sector of 512 bytes; a u64 above 2^53 is rounded, which is far beyond any capacity. */
  readonly sector: number;
  /** Readable bytes behind the header: what a write stores. */
  readonly payload: GuestRange;
  /** Writable bytes before the status byte, which is the last one: what a read fills. */
  readonly answer: GuestRange;
  private readonly chain: Chain;

  private constructor(chain: Chain, isDropped: () => boolean) {
    this.chain = chain.keep();
    this.token = chain.token;
    this.type = fields.getUint32(VIRTIO_BLK_REQ_TYPE, true);
    this.sector =
      fields.getUint32(VIRTIO_BLK_REQ_SECTOR, true) +
      fields.getUint32(VIRTIO_BLK_REQ_SECTOR + 4, true) * 0x100000000;
    const payloadBytes = chain.readableBytes - VIRTIO_BLK_REQ_HEADER_SIZE;
    this.payload = new GuestRange(
      this.chain,
      "readable",
      VIRTIO_BLK_REQ_HEADER_SIZE,
      payloadBytes,
      isDropped,
    );
    this.answer = new GuestRange(this.chain, "writable", 0, chain.writableBytes - 1, isDropped);
  }

  /**
   * Parses a chain.
   *
   * @param isDropped asked before guest memory is touched
   * @returns undefined when it has no whole header or no byte for the status: nothing can be done or said then
   */
  static parse(chain: Chain, isDropped: () => boolean): BlkRequest | undefined {
    if (chain.readableBytes < VIRTIO_BLK_REQ_HEADER_SIZE || chain.writableBytes < 1) return undefined;
    chain.reader().read(header);
    return new BlkRequest(chain, isDropped);
  }

  /**
   * Writes the status byte, and for what has no data zeros (or `text` and zeros) before it, so that the whole
   * writable part has been written as the used length says (§2.7.8.2).
   *
   * @param hasData the answer was filled by the backend
   * @returns the used length
   */
  answerWith(status: number, hasData: boolean, text: Uint8Array = zeros.subarray(0, 0)): number {
    const writer = this.chain.writer();
    if (hasData && status === VIRTIO_BLK_S_OK) writer.skip(this.answer.length);
    else {
      writer.write(text.subarray(0, this.answer.length));
      while (writer.remaining > 1) writer.write(zeros.subarray(0, writer.remaining - 1));
    }
    writer.writeU8(status);
    return writer.written;
  }
}
