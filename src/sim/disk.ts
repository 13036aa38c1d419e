/**
 * A disk through two block devices: the driver of the first reads it into guest memory, the driver of the second
 * writes it from there. What the second backend holds afterwards came through both rings and from nowhere else.
 * Whether that is the same disk is found out from outside, after the clock has stopped.
 */
import { loadCore } from "../core/core";
import { BLK_DRIVER_FEATURES } from "../driver/blk";
import { VirtioError } from "../errors";
import type { BlkBackend } from "../models/backend";
import { BlkModel } from "../models/blk";
import { VIRTIO_BLK_SECTOR_SIZE } from "../spec/blk";
import { Transcript } from "../trace/transcript";
import { GuestAllocator } from "../virtqueue/guest-allocator";
import { type CopyPlan, DiskCopy } from "./disk-copy";
import type { NotificationCount, SimReport } from "./metrics";
import { splitByType } from "./own-features";
import { type NegotiationOptions, QUEUE_SIZE, Session } from "./session";

/** What to copy, and how. Device-type features in `offer` and `accept` replace the usual ones if any is named. */
export interface CopyDiskOptions extends NegotiationOptions {
  readonly source: BlkBackend;
  /** At least as large as the source. */
  readonly target: BlkBackend;
  /** Data of one request in bytes, a multiple of 512. Default 1 MiB. */
  readonly blockSize?: number;
  /** Requests for each publish, and in flight. Default 4, or what the queue holds if that is less. */
  readonly batch?: number;
  /** Goes into the report; nothing here depends on it. Default 1. */
  readonly seed?: number;
  /** Fault injection: the byte at this offset of the disk is inverted while it is in guest memory. */
  readonly flipByte?: number;
  /** Hears why a backend failed. */
  readonly onBackendError?: (error: unknown) => void;
  /** Hears now and then how many bytes have been copied. */
  readonly onProgress?: (bytes: number, all: number) => void;
}

/** Buffers of a request: header, data, status. */
const BUFFERS = 3;
const BLOCK_SIZE = 1024 * 1024;
const BATCH = 4;
const MAX_GUEST_BYTES = 0x4000000;
const BREATH_MS = 100;

/**
 * Copies a disk.
 *
 * @returns a report without digests: fill in `integrity`
 * @throws VirtioError as `simulate`
 */
export async function copyDisk(options: CopyDiskOptions): Promise<SimReport> {
  const { source, queueSize = QUEUE_SIZE, indirect = false, seed = 1 } = options;
  const plan = planCopy(options, queueSize, indirect);
  const started = performance.now();
  const [from, to] = await openBoth(options, plan);
  const refused = [from, to].find(({ result }) => !result.ok);
  let copy: DiskCopy | undefined;
  let copySeconds = 0;
  if (refused === undefined) {
    copy = await DiskCopy.start(from, to, plan);
    const copyStarted = performance.now();
    await runCopy(copy, source.sectors, options.onProgress);
    copySeconds = (performance.now() - copyStarted) / 1000;
    if (copy.failure === undefined) copy.flush();
  }
  return {
    kind: "disk",
    outcome: refused ? "refused" : copy?.failure === undefined ? "completed" : "failed",
    ...(refused ?? to).report(),
    findings: [...new Set([from, to])].flatMap((session) => session.report().findings),
    ...(copy?.failure === undefined ? {} : { reason: copy.failure }),
    queueSize,
    indirect,
    seed,
    batch: plan.batch,
    chains: copy?.chains ?? 0,
    descriptors: copy?.descriptors ?? 0,
    bytes: copy?.bytes ?? { toDevice: 0, fromDevice: 0 },
    notifications: {
      available: sum(from.notifications.available, to.notifications.available),
      used: sum(from.notifications.used, to.notifications.used),
    },
    integrity: { algorithm: "sha256", sent: "", received: "", mismatches: 0, firstMismatch: null },
    seconds: (performance.now() - started) / 1000,
    nsPerChain: null,
    disk: {
      bytes: source.sectors * VIRTIO_BLK_SECTOR_SIZE,
      blockSize: plan.blockSize,
      copySeconds,
      plainSeconds: null,
    },
    capture: null,
  };
}

async function runCopy(
  copy: DiskCopy,
  sectors: number,
  onProgress: CopyDiskOptions["onProgress"],
): Promise<void> {
  let last = performance.now();
  while (!copy.isDone) {
    copy.round();
    const now = performance.now();
    if (now - last < BREATH_MS) continue;
    last = now;
    onProgress?.(copy.copied, sectors * VIRTIO_BLK_SECTOR_SIZE);
    // Lets timers and signals of the host in.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

function planCopy(options: CopyDiskOptions, queueSize: number, indirect: boolean): CopyPlan {
  const { source, target, flipByte, blockSize = BLOCK_SIZE } = options;
  const held = indirect ? queueSize : Math.floor(queueSize / BUFFERS);
  const batch = options.batch ?? Math.min(BATCH, Math.max(1, held));
  if (queueSize < BUFFERS && !indirect) {
    throw bad(`queue size ${queueSize}: a request to a disk takes ${BUFFERS} descriptors`);
  }
  if (!Number.isInteger(batch) || batch < 1 || batch > held) {
    throw bad(`batch ${batch}: a queue of ${queueSize} holds 1 to ${held} requests of ${BUFFERS} buffers`);
  }
  if (
    !Number.isInteger(blockSize) ||
    blockSize < VIRTIO_BLK_SECTOR_SIZE ||
    blockSize % VIRTIO_BLK_SECTOR_SIZE
  ) {
    throw bad(`block size ${blockSize} is not a multiple of ${VIRTIO_BLK_SECTOR_SIZE}`);
  }
  if (batch * blockSize > MAX_GUEST_BYTES) {
    throw bad(`${batch} requests of ${blockSize} bytes in flight are more than ${MAX_GUEST_BYTES} bytes`);
  }
  if (target.sectors < source.sectors) {
    throw bad(`the target has ${target.sectors} sectors, fewer than the source's ${source.sectors}`);
  }
  const bytes = source.sectors * VIRTIO_BLK_SECTOR_SIZE;
  if (flipByte !== undefined && (!Number.isInteger(flipByte) || flipByte < 0 || flipByte >= bytes)) {
    throw bad(`offset ${flipByte} is not on a disk of ${bytes} bytes`);
  }
  const flip = flipByte === undefined ? {} : { flipByte };
  return { sectors: source.sectors, blockSize, batch, indirect, ...flip };
}

/** The two sessions on one core; the second is the first one if that was refused. */
async function openBoth(options: CopyDiskOptions, plan: CopyPlan): Promise<[Session, Session]> {
  const { queueSize = QUEUE_SIZE } = options;
  const ringBytes = Session.guestBytes(queueSize, plan.indirect, BUFFERS) + plan.batch * 64;
  const guestBytes = 65536 * Math.ceil((2 * ringBytes + plan.batch * (plan.blockSize + 512)) / 65536 + 1);
  const core = await loadCore({ guestBytes });
  const allocator = new GuestAllocator(core);
  const transcript = new Transcript();
  const offer = splitByType(options.offer, "blk");
  const accept = splitByType(options.accept, "blk");
  const open = (backend: BlkBackend, label: string) =>
    Session.open({
      ...options,
      ...(offer ? { offer: offer.ring } : {}),
      ...(accept
        ? { accept: [...accept.ring, ...(accept.own.length > 0 ? accept.own : BLK_DRIVER_FEATURES)] }
        : {}),
      core,
      allocator,
      transcript,
      label,
      model: new BlkModel(backend, {
        id: `virtq-${label}`,
        queueSize,
        ...(offer && offer.own.length > 0 ? { offers: offer.own } : {}),
        ...(options.onBackendError === undefined ? {} : { onBackendError: options.onBackendError }),
      }),
      buffers: BUFFERS,
      share: plan.batch,
    });
  const from = await open(options.source, "source");
  return [from, from.result.ok ? await open(options.target, "target") : from];
}

function sum(a: NotificationCount, b: NotificationCount): NotificationCount {
  if (a === b) return a;
  return { sent: a.sent + b.sent, suppressed: a.suppressed + b.suppressed };
}

function bad(message: string): VirtioError {
  return new VirtioError("BAD_ARGUMENT", message);
}
