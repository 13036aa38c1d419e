/**
 * The schedule of a replay, on one thread and the same every time: a batch of frames into the first device, over the
 * wire, out of the second one; then the next batch.
 */
import type { Capture } from "../capture/capture";
import type { CapturedFrame } from "../capture/frame";
import type { FrameToWrite } from "../capture/pcapng-writer";
import type { CaptureCheck } from "./capture-check";
import type { NetEnd } from "./net-end";

/** What to send, and how. */
export interface CaptureReplayOptions {
  readonly capture: Capture;
  /** Frames for each publish, and on their way. */
  readonly batch: number;
  /** Offset of a byte of all frames, one behind the other, to be inverted on the wire. */
  readonly flipByte?: number;
  /** Hears each frame that arrived. */
  readonly onFrame?: (frame: FrameToWrite) => void;
}

/** One replay under way. */
export class CaptureReplay {
  private readonly sender: NetEnd;
  private readonly receiver: NetEnd;
  private readonly check: CaptureCheck;
  private readonly batch: number;
  private readonly onFrame: (frame: FrameToWrite) => void;
  private readonly frames: Iterator<CapturedFrame>;
  private next: IteratorResult<CapturedFrame>;

  /** Joins the two devices. */
  constructor(
    sender: NetEnd,
    receiver: NetEnd,
    check: CaptureCheck,
    { capture, batch, onFrame, flipByte }: CaptureReplayOptions,
  ) {
    this.sender = sender;
    this.receiver = receiver;
    this.check = check;
    this.batch = batch;
    this.onFrame = onFrame ?? (() => {});
    this.frames = capture.frames();
    this.next = this.frames.next();
    let carried = 0;
    const { model } = receiver;
    const { counters } = sender.model;
    sender.model.wire = {
      send(frame, header) {
        check.carry(frame, counters.malformed + counters.lost);
        flip(frame, (flipByte ?? -1) - carried);
        carried += frame.length;
        model.receive(frame, header);
      },
    };
  }

  /** Frames that were sent. */
  get sent(): number {
    return this.check.sent;
  }

  /** A batch from the capture to the other end. @returns whether there is more to do */
  round(): boolean {
    const { sender, receiver, check } = this;
    const before = check.inFlight;
    const added = this.send();
    sender.serve();
    receiver.serve();
    const { counters } = receiver.model;
    const arrived = receiver.poll((bytes) => {
      const lost = counters.unfit + counters.missed + receiver.net.malformed;
      this.onFrame(check.arrive(bytes, lost));
    });
    sender.poll(() => {});
    const isMoving = added > 0 || arrived > 0 || check.inFlight < before;
    if (isMoving && (this.next.done !== true || check.inFlight > 0)) return true;
    check.finish();
    return false;
  }

  private send(): number {
    const { net } = this.sender;
    let added = 0;
    for (; added < this.batch && this.next.done !== true; added++) {
      if (net.send(this.next.value.bytes) === 0) break;
      this.check.send(this.next.value);
      this.next = this.frames.next();
    }
    if (added > 0) void net.submit();
    return added;
  }
}

function flip(frame: Uint8Array, at: number): void {
  if (at >= 0 && at < frame.length) frame[at] = ~(frame[at] ?? 0);
}
