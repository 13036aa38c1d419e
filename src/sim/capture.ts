/**
 * A capture through two network devices: the driver of the first sends its frames, the wire carries them to the
 * second device, whose driver receives them. Each frame that arrives is compared with the one that was sent.
 */
import type { Capture } from "../capture/capture";
import type { FrameToWrite } from "../capture/pcapng-writer";
import { loadCore } from "../core/core";
import { VirtioError } from "../errors";
import { netHeaderBytes } from "../negotiation/net-header";
import { VIRTIO_NET_ETH_HEADER_SIZE, VIRTIO_NET_FRAME_SIZE, VIRTIO_NET_HDR_SIZE } from "../spec/net";
import { VIRTQ_SIZE_MAX } from "../spec/queue";
import { Transcript } from "../trace/transcript";
import { GuestAllocator } from "../virtqueue/guest-allocator";
import { CaptureCheck } from "./capture-check";
import { CaptureReplay } from "./capture-replay";
import { type CaptureSurvey, surveyCapture } from "./capture-survey";
import type { NotificationCount, SimReport } from "./metrics";
import { NetEnd } from "./net-end";
import { type NegotiationOptions, QUEUE_SIZE } from "./session";

/** What to send, and how. Device-type features in `offer` and `accept` replace the usual ones if any is named. */
export interface ReplayCaptureOptions extends NegotiationOptions {
  readonly capture: Capture;
  /** What `surveyCapture` found in it; without it the capture is read once more. */
  readonly survey?: CaptureSurvey;
  /** Frames for each publish, and on their way. Default 32, or what the queue holds if that is less. */
  readonly batch?: number;
  /** Goes into the report; nothing here depends on it. Default 1. */
  readonly seed?: number;
  /** Fault injection: the byte at this offset of all frames, one behind the other, is inverted on the wire. */
  readonly flipByte?: number;
  /** Hears each frame that arrived, in order, with the time of the one that was sent; its bytes last for the call. */
  readonly onFrame?: (frame: FrameToWrite) => void;
  /** Hears now and then how many frames were sent. */
  readonly onProgress?: (frames: number, all: number) => void;
}

const BATCH = 32;
const MAX_GUEST_BYTES = 0x4000000;
const BREATH_MS = 100;

/**
 * Sends a capture.
 *
 * @throws CaptureError for a capture that can't be sent, VirtioError as `simulate`
 */
export async function replayCapture(options: ReplayCaptureOptions): Promise<SimReport> {
  const { capture, queueSize = QUEUE_SIZE, indirect = false, seed = 1 } = options;
  const survey = options.survey ?? (await surveyCapture(capture));
  const batch = planBatch(options, survey, queueSize);
  const started = performance.now();
  const [sender, receiver] = await openEnds(options, survey, batch);
  const refused = [sender, receiver].find(({ result }) => !result.ok);
  const { result } = sender;
  const check = new CaptureCheck(result.ok ? netHeaderBytes(result.negotiated) : 0);
  if (refused === undefined) {
    const run = new CaptureReplay(sender, receiver, check, { ...options, batch });
    await runReplay(run, survey, options.onProgress);
  }
  const integrity = check.result();
  const isWhole = integrity.mismatches === 0 && check.dropped === 0;
  return {
    kind: "capture",
    outcome: refused ? "refused" : isWhole ? "completed" : "mismatch",
    ...(refused ?? receiver).agreement(),
    findings: [...new Set([sender, receiver])].flatMap((end) => end.agreement().findings),
    queueSize,
    indirect,
    seed,
    batch,
    ...countsOf(sender, receiver),
    bytes: check.bytes,
    integrity: refused ? { ...integrity, sent: "", received: "" } : integrity,
    seconds: (performance.now() - started) / 1000,
    nsPerChain: null,
    disk: null,
    capture: { ...survey, differ: check.differ, dropped: check.dropped },
  };
}

async function runReplay(
  run: CaptureReplay,
  { frames }: CaptureSurvey,
  onProgress: ReplayCaptureOptions["onProgress"],
): Promise<void> {
  let last = performance.now();
  while (run.round()) {
    const now = performance.now();
    if (now - last < BREATH_MS) continue;
    last = now;
    onProgress?.(run.sent, frames);
    // Lets timers and signals of the host in.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

function planBatch(options: ReplayCaptureOptions, survey: CaptureSurvey, queueSize: number): number {
  const { batch = Math.min(BATCH, queueSize), flipByte } = options;
  if (!Number.isInteger(queueSize) || queueSize < 1 || queueSize > VIRTQ_SIZE_MAX) {
    throw bad(`queue size ${queueSize} is not within 1…${VIRTQ_SIZE_MAX}`);
  }
  if (!Number.isInteger(batch) || batch < 1 || batch > queueSize) {
    throw bad(`batch ${batch}: a queue of ${queueSize} holds 1 to ${queueSize} frames`);
  }
  if (batch * bufferBytes(survey) > MAX_GUEST_BYTES) {
    throw bad(
      `${batch} frames of ${survey.largest} bytes on their way are more than ${MAX_GUEST_BYTES} bytes`,
    );
  }
  if (flipByte !== undefined && (!Number.isInteger(flipByte) || flipByte < 0 || flipByte >= survey.bytes)) {
    throw bad(`offset ${flipByte} is not in a capture of ${survey.bytes} bytes`);
  }
  return batch;
}

/** Both ends on one core; the second is the first one if that was refused. */
async function openEnds(
  options: ReplayCaptureOptions,
  survey: CaptureSurvey,
  batch: number,
): Promise<[NetEnd, NetEnd]> {
  const { queueSize = QUEUE_SIZE, indirect = false } = options;
  const bytes = bufferBytes(survey);
  const frameBytes = survey.mtu + VIRTIO_NET_ETH_HEADER_SIZE;
  const slabs = 2 * (batch + 1) * bytes;
  const guestBytes = 2 * NetEnd.guestBytes(queueSize, indirect) + slabs;
  const core = await loadCore({ guestBytes: 65536 * Math.ceil(guestBytes / 65536 + 1) });
  const common = {
    ...options,
    core,
    allocator: new GuestAllocator(core),
    transcript: new Transcript(),
    queueSize,
    indirect,
    mtu: survey.mtu,
    share: batch,
  };
  const buffers = { bufferBytes: bytes, frameBytes };
  // Each end gets only one buffer for the way that nothing takes.
  const sender = await NetEnd.open({
    ...common,
    label: "sender",
    mac: "02:00:00:00:00:01",
    buffers: { ...buffers, transmitSlots: batch, receiveBuffers: 1 },
  });
  if (!sender.result.ok) return [sender, sender];
  const receiver = await NetEnd.open({
    ...common,
    label: "receiver",
    mac: "02:00:00:00:00:02",
    buffers: { ...buffers, transmitSlots: 1, receiveBuffers: batch },
  });
  return [sender, receiver];
}

/** A receive buffer for a header and the largest frame that the MTU allows; never below 1526 (§5.1.6.3.1). */
function bufferBytes({ mtu }: CaptureSurvey): number {
  return VIRTIO_NET_HDR_SIZE + Math.max(VIRTIO_NET_FRAME_SIZE, VIRTIO_NET_ETH_HEADER_SIZE + mtu);
}

function countsOf(a: NetEnd, b: NetEnd): Pick<SimReport, "chains" | "descriptors" | "notifications"> {
  const ends = a === b ? [a] : [a, b];
  const sum = (pick: (end: NetEnd) => NotificationCount) => ({
    sent: ends.reduce((all, end) => all + pick(end).sent, 0),
    suppressed: ends.reduce((all, end) => all + pick(end).suppressed, 0),
  });
  const chains = ends.reduce((all, end) => all + end.counters.chains, 0);
  return {
    chains,
    // Header and frame lie in one buffer, or in one indirect table.
    descriptors: chains,
    notifications: {
      available: sum(({ counters }) => counters.available),
      used: sum(({ counters }) => counters.used),
    },
  };
}

function bad(message: string): VirtioError {
  return new VirtioError("BAD_ARGUMENT", message);
}
