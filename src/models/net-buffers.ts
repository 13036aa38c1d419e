/** Receive buffers for one frame: taken when the frame is there, filled and used together, or given back (§5.1.6.4). */
import { VirtioError } from "../errors";
import { writeNetHeader } from "../negotiation/net-header";
import { VIRTIO_NET_HDR_SIZE } from "../spec/net";
import type { Chain } from "../virtqueue/chain";
import type { DeviceQueue } from "../virtqueue/device-queue";
import type { NetFrame, NetRules } from "./net-frame";

const header = new Uint8Array(VIRTIO_NET_HDR_SIZE);

/** The buffers that were taken for a frame. */
export interface TakenBuffers {
  readonly chains: readonly Chain[];
  /** Whether header and frame fit into them. */
  readonly suffice: boolean;
}

/**
 * Takes as many buffers as a frame needs, or as there are; one at most without MRG_RXBUF (§5.1.6.3.2).
 *
 * @param tooShort hears of each buffer that doesn't hold a header: it can be no frame's first one, and is used empty
 */
export function takeBuffers(
  queue: DeviceQueue,
  { bytes }: NetFrame,
  { headerBytes, isMergeable }: NetRules,
  tooShort: () => void,
): TakenBuffers {
  const wanted = headerBytes + bytes.length;
  const chains: Chain[] = [];
  let room = 0;
  while (room < wanted && (isMergeable || chains.length === 0) && queue.take(1) === 1) {
    const chain = queue.chain(0);
    if (chains.length === 0 && chain.writableBytes < headerBytes) {
      queue.complete(chain.token, 0);
      tooShort();
      continue;
    }
    room += chain.writableBytes;
    chains.push(room < wanted ? chain.keep() : chain); // the last one taken needs no copy
  }
  return { chains, suffice: room >= wanted };
}

/** Writes header and frame, each buffer but the last one to its end, and uses all of them (§5.1.6.4.1). */
export function fillBuffers(
  queue: DeviceQueue,
  frame: NetFrame,
  chains: readonly Chain[],
  { headerBytes }: NetRules,
): void {
  writeNetHeader(header, 0, frame.header, chains.length);
  let rest = frame.bytes;
  for (const [i, chain] of chains.entries()) {
    const writer = chain.writer();
    if (i === 0) writer.write(header.subarray(0, headerBytes));
    const part = rest.subarray(0, writer.remaining);
    writer.write(part);
    rest = rest.subarray(part.length);
    queue.complete(chain.token, writer.written);
  }
}

/** Gives buffers back as if they had not been taken. */
export function giveBack(queue: DeviceQueue, chains: readonly Chain[]): void {
  for (const { token } of [...chains].reverse()) {
    try {
      queue.undo(token);
    } catch (error) {
      // With `recover` a bad chain behind this one may have been used already: there is no way back before it.
      if (!(error instanceof VirtioError)) throw error;
      queue.complete(token, 0);
    }
  }
}
