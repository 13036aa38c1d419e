/** `virtq sim --disk`: the files around the copies. Every run makes a second disk of its own; one of them is kept. */
import type { BlkBackend } from "../models/backend";
import { FileBackend } from "../models/file-backend";
import { MemoryBackend } from "../models/memory-backend";
import { copyDisk } from "../sim/disk";
import type { SimReport } from "../sim/metrics";
import { VIRTIO_BLK_SECTOR_SIZE } from "../spec/blk";
import { compareDisks, type DiskContents, sha256 } from "./disk-digest";
import { checkImage, checkOutput, ScratchFiles, systemReason, systemText } from "./files";
import { plainCopy } from "./plain-copy";
import type { Progress } from "./progress";
import { negotiations } from "./runs";
import type { SimArguments } from "./sim-arguments";
import { UsageError } from "./usage-error";

/** A second disk up to this size stays in memory, unless it is to be kept. */
const MEMORY_BYTES = 16 * 1024 * 1024;
const BREATH_MS = 100;

/**
 * Copies the disk once for each negotiation and compares.
 *
 * @throws UsageError for files that can't be read or written; nothing half-written stays
 */
export async function runDisk(given: SimArguments, path: string, progress: Progress): Promise<SimReport[]> {
  const bytes = checkImage(path);
  if (given.diskOut !== undefined) checkOutput(given.diskOut);
  const scratch = new ScratchFiles();
  try {
    return await new DiskRun(given, path, bytes, scratch, progress).all();
  } catch (error) {
    throw (error as NodeJS.ErrnoException).syscall === undefined ? error : new UsageError(systemText(error));
  } finally {
    scratch.removeAll();
  }
}

class DiskRun {
  private readonly given: SimArguments;
  private readonly path: string;
  private readonly bytes: number;
  private readonly scratch: ScratchFiles;
  private readonly progress: Progress;

  constructor(given: SimArguments, path: string, bytes: number, scratch: ScratchFiles, progress: Progress) {
    this.given = given;
    this.path = path;
    this.bytes = bytes;
    this.scratch = scratch;
    this.progress = progress;
  }

  async all(): Promise<SimReport[]> {
    const { given, scratch } = this;
    await warmUp();
    const sent = await sha256(this.path, this.breath("checksum of the disk"));
    const reports: SimReport[] = [];
    let kept: string | undefined;
    const runs = negotiations(given);
    for (const [i, negotiation] of runs.entries()) {
      const place = this.place();
      const what = `copy ${i + 1} of ${runs.length}`;
      const { report, blockSize } = await this.copy(negotiation, place, what);
      const plainSeconds = report.outcome === "completed" ? this.plain(blockSize) : null;
      reports.push(await this.compare(report, sent, plainSeconds, place, what));
      if (typeof place !== "string") continue;
      if (kept === undefined && given.diskOut !== undefined) kept = place;
      else scratch.remove(place);
    }
    const isFine = reports.every(({ outcome }) => outcome === "completed");
    if (isFine && kept !== undefined && given.diskOut !== undefined) scratch.keep(kept, given.diskOut);
    return reports;
  }

  private async copy(
    negotiation: ReturnType<typeof negotiations>[number],
    place: DiskContents,
    what: string,
  ): Promise<{ report: SimReport; blockSize: number }> {
    const { given, bytes } = this;
    const sectors = bytes / VIRTIO_BLK_SECTOR_SIZE;
    const source = new FileBackend(this.path, { readOnly: true });
    if (source.sectors !== sectors) {
      source.close();
      const now = source.sectors * VIRTIO_BLK_SECTOR_SIZE;
      throw new UsageError(
        `the disk ${this.path} had ${bytes} bytes and has ${now} now: it changed in mid-run`,
      );
    }
    let target: BlkBackend & { close?(): void };
    let failure: unknown;
    try {
      target =
        typeof place === "string" ? new FileBackend(place, { create: sectors }) : new MemoryBackend(place);
    } catch (error) {
      source.close();
      throw new UsageError(`can't write ${given.diskOut ?? place}: ${systemReason(error)}`);
    }
    try {
      const report = await copyDisk({
        ...negotiation,
        source,
        target,
        ...(given.batch === undefined ? {} : { batch: given.batch }),
        ...(given.blockSize === undefined ? {} : { blockSize: given.blockSize }),
        ...(given.seed === undefined ? {} : { seed: given.seed }),
        ...(given.flipByte === undefined ? {} : { flipByte: given.flipByte }),
        onBackendError: (error) => {
          failure ??= error;
        },
        onProgress: (done, all) => this.progress.report(what, done, all),
      });
      if (failure !== undefined) throw new UsageError(systemText(failure));
      return { report, blockSize: report.disk?.blockSize ?? VIRTIO_BLK_SECTOR_SIZE };
    } finally {
      source.close();
      target.close?.();
    }
  }

  private async compare(
    report: SimReport,
    sent: string,
    plainSeconds: number | null,
    place: DiskContents,
    what: string,
  ): Promise<SimReport> {
    if (report.outcome !== "completed" || report.disk === null) return report;
    const received = await sha256(place, this.breath(`checksum of ${what}`));
    const difference =
      received === sent ? undefined : await compareDisks(this.path, place, this.breath(`comparing ${what}`));
    return {
      ...report,
      outcome: difference === undefined ? "completed" : "mismatch",
      integrity: {
        algorithm: "sha256",
        sent,
        received,
        mismatches: difference?.bytes ?? 0,
        firstMismatch: difference
          ? {
              chain: null,
              direction: "toDevice",
              offset: difference.offset,
              expected: difference.expected,
              actual: difference.actual,
            }
          : null,
      },
      disk: { ...report.disk, plainSeconds },
    };
  }

  /** Right after the copy that it is held against, so that both meet the same machine. */
  private plain(blockSize: number): number {
    const place = this.place();
    const seconds = plainCopy(this.path, place, blockSize);
    if (typeof place === "string") this.scratch.remove(place);
    return seconds;
  }

  /** Where a second disk goes: memory, a file beside the one to be kept, or a file in the system's folder. */
  private place(): DiskContents {
    if (this.given.diskOut !== undefined) return this.scratch.name(this.given.diskOut);
    // Filled, so that no run pays for fresh pages and what nobody writes is no accidental zero.
    return this.bytes <= MEMORY_BYTES ? new Uint8Array(this.bytes).fill(0xa5) : this.scratch.name();
  }

  private breath(what: string): (done: number) => Promise<void> | void {
    let last = performance.now();
    return (done) => {
      const now = performance.now();
      if (now - last < BREATH_MS) return;
      last = now;
      this.progress.report(what, done, this.bytes);
      return new Promise((resolve) => setImmediate(resolve));
    };
  }
}

/** A first copy would pay for the compiler. */
async function warmUp(): Promise<void> {
  const disk = () => new MemoryBackend(new Uint8Array(1024 * 1024));
  await copyDisk({ source: disk(), target: disk(), blockSize: VIRTIO_BLK_SECTOR_SIZE });
}
