/**
 * The traditional memory balloon (§5.5): asks for pages through num_pages, hears which ones it got and which the driver
 * takes back, and asks for statistics. What giving up a page means is the host's; the model touches none.
 * Not here: FREE_PAGE_HINT and PAGE_REPORTING.
 */
import { type ConfigField, configFields, type DeviceContext, type DeviceModel } from "../device/model";
import { VirtioError } from "../errors";
import { FeatureSet } from "../negotiation/feature-set";
import {
  VIRTIO_BALLOON_INFLATEQ as INFLATEQ,
  VIRTIO_BALLOON_PAGE_BYTES as PAGE_BYTES,
  VIRTIO_BALLOON_PFN_BYTES as PFN_BYTES,
  VIRTIO_BALLOON_STATSQ as STATSQ,
} from "../spec/balloon";
import type { Chain } from "../virtqueue/chain";
import type { DeviceQueue } from "../virtqueue/device-queue";
import { type BalloonStat, BalloonStats } from "./balloon-stats";
import { TurnReader } from "./turn-reader";

/** Hears of pages: guest-physical addresses divided by 4096, all within guest RAM. A long list comes in pieces. */
export type BalloonPages = (pfns: readonly number[]) => void;

/** What a balloon offers and who hears of it. */
export interface BalloonOptions {
  /** Pages that the driver gives up; until this returns they may be changed, and are used by nobody (§5.5.6.2). */
  readonly onInflate?: BalloonPages;
  /** Pages that the driver takes back. */
  readonly onDeflate?: BalloonPages;
  /** What {@link BalloonModel.requestStats} asked for: known tags alone. */
  readonly onStats?: (stats: readonly BalloonStat[]) => void;
  /** Device-type features: any of MUST_TELL_HOST, STATS_VQ, DEFLATE_ON_OOM, PAGE_POISON. Default all. */
  readonly offers?: readonly string[];
  /** Refuse a driver that doesn't accept MUST_TELL_HOST (§5.5.3.2: MAY). Default false. */
  readonly insistsOnTelling?: boolean;
  /** Largest size of each queue, 1…32768. Default 128. */
  readonly queueSize?: number;
}

/** Features that this model can offer. */
const KNOWN = ["MUST_TELL_HOST", "STATS_VQ", "DEFLATE_ON_OOM", "PAGE_POISON"];

/** The device model of a memory balloon. */
export class BalloonModel implements DeviceModel {
  readonly name = "balloon";
  readonly deviceId = 5;
  readonly deviceType = "balloon";
  readonly queues: DeviceModel["queues"];
  readonly offers: readonly string[];
  readonly config: readonly ConfigField[];
  /** Chains against the driver's rules so far: a buffer of the wrong kind or none, or one that is cut off. */
  breaches = 0;
  /** Pages outside of guest RAM so far; nobody heard of them. */
  ignoredPages = 0;
  private readonly options: BalloonOptions;
  private readonly inflated: TurnReader;
  private readonly deflated: TurnReader;
  private readonly stats: BalloonStats;
  private numPages = 0;
  private actualPages = 0;
  private poison = 0;
  private context: DeviceContext | undefined;

  /** @throws VirtioError BAD_ARGUMENT, UNKNOWN_NAME for options that make no balloon */
  constructor(options: BalloonOptions = {}) {
    const { queueSize = 128, onInflate, onDeflate, onStats } = options;
    this.options = options;
    this.offers = FeatureSet.from(options.offers ?? KNOWN, "balloon").names("balloon");
    const unknown = this.offers.find((name) => !KNOWN.includes(name));
    if (unknown !== undefined) {
      throw bad(`the balloon model cannot offer ${unknown}, only ${KNOWN.join(", ")}`, "5.5.3");
    }
    // §5.5.2: without STATS_VQ there is no statsq.
    const names = ["inflateq", "deflateq", ...(this.offers.includes("STATS_VQ") ? ["statsq"] : [])];
    this.queues = names.map((name) => ({ name, maxSize: queueSize }));
    this.inflated = this.pageReader(onInflate);
    this.deflated = this.pageReader(onDeflate);
    this.stats = new BalloonStats(
      (stats) => onStats?.(stats),
      () => this.breaches++,
    );
    this.config = configFields("balloon", {
      num_pages: () => this.numPages,
      actual: () => this.actualPages,
      poison_val: () => this.poison,
    });
  }

  /** Pages of 4096 bytes in the balloon, as the driver said last. */
  get actual(): number {
    return this.actualPages;
  }

  /** What the driver says that it fills deflated pages with; undefined unless PAGE_POISON is negotiated (§5.5.6.6). */
  get poisonValue(): number | undefined {
    return this.context?.negotiated.has("PAGE_POISON", "balloon") ? this.poison : undefined;
  }

  validate(accepted: FeatureSet): string | undefined {
    if (!this.options.insistsOnTelling || !this.offers.includes("MUST_TELL_HOST")) return undefined;
    return accepted.has("MUST_TELL_HOST", "balloon")
      ? undefined
      : "this balloon insists on MUST_TELL_HOST (§5.5.3.2)";
  }

  start(context: DeviceContext): void {
    this.context = context;
  }

  reset(): void {
    this.context = undefined;
    this.actualPages = 0;
    this.poison = 0;
    this.inflated.reset();
    this.deflated.reset();
    this.stats.reset();
  }

  configWritten(name: "actual" | "poison_val", value: number | bigint): void {
    if (name === "actual") this.actualPages = Number(value);
    else this.poison = Number(value);
  }

  /**
   * Asks for a balloon of this size; the driver follows if it can.
   *
   * @param pages of 4096 bytes, 0…2^32-1
   * @throws VirtioError BAD_ARGUMENT
   */
  target(pages: number): void {
    if (!Number.isInteger(pages) || pages < 0 || pages > 0xffffffff) {
      throw bad(`${pages} pages are not within 0…4294967295`, "5.5.4");
    }
    this.numPages = pages;
    this.context?.configChanged();
  }

  /** Asks for statistics; `onStats` hears them. @returns false if no driver with STATS_VQ runs */
  requestStats(): boolean {
    const { context } = this;
    if (!context?.negotiated.has("STATS_VQ", "balloon")) return false;
    this.stats.request();
    context.finish(STATSQ);
    return true;
  }

  process(index: number, queue: DeviceQueue, budget: number): number {
    if (index === STATSQ) return this.stats.process(queue);
    return (index === INFLATEQ ? this.inflated : this.deflated).process(queue, budget);
  }

  private pageReader(heard: BalloonPages | undefined): TurnReader {
    return new TurnReader({
      chain: (chain) => this.judge(chain),
      bytes: (bytes) => {
        const pfns = this.pagesIn(bytes);
        if (pfns.length > 0) heard?.(pfns);
      },
    });
  }

  private judge({ readableBytes, writableCount }: Chain): void {
    if (writableCount > 0 || readableBytes === 0 || readableBytes % PFN_BYTES !== 0) this.breaches++;
  }

  /** The pages of a list that are guest RAM; what is left of a cut-off entry is none. */
  private pagesIn(bytes: Uint8Array): number[] {
    const regions = this.context?.core.regions ?? [];
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const pfns: number[] = [];
    for (let at = 0; at + PFN_BYTES <= bytes.length; at += PFN_BYTES) {
      const pfn = view.getUint32(at, true);
      const address = pfn * PAGE_BYTES;
      const isRam = regions.some(
        ({ gpa, size, readOnly }) => !readOnly && address >= gpa && address + PAGE_BYTES <= gpa + size,
      );
      if (isRam) pfns.push(pfn);
      else this.ignoredPages++;
    }
    return pfns;
  }
}

function bad(message: string, section: string): VirtioError {
  return new VirtioError("BAD_ARGUMENT", message, { section });
}
