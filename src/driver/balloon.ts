/**
 * A small balloon driver (§5.5.6): gives pages of the allocator to the device and takes them back as num_pages says,
 * one request at a time, keeps `actual` right and answers for statistics. It always waits for the device before it
 * uses a page again, as MUST_TELL_HOST asks; without that bit it might do so earlier.
 */
import type { Core } from "../core/core";
import { VirtioError } from "../errors";
import {
  VIRTIO_BALLOON_DEFLATEQ as DEFLATEQ,
  VIRTIO_BALLOON_INFLATEQ as INFLATEQ,
  VIRTIO_BALLOON_PAGE_BYTES as PAGE_BYTES,
  VIRTIO_BALLOON_PFN_BYTES as PFN_BYTES,
  VIRTIO_BALLOON_STATSQ as STATSQ,
  VIRTIO_BALLOON_S_MEMFREE,
} from "../spec/balloon";
import type { GuestAllocator } from "../virtqueue/guest-allocator";
import { type BalloonStatistics, StatsBuffer } from "./balloon-stats";
import type { VirtioDriver } from "./driver";

/** How a balloon driver behaves. */
export interface BalloonDriverOptions {
  /** What it tells with STATS_VQ. Default: the allocator's free bytes as VIRTIO_BALLOON_S_MEMFREE. */
  readonly statistics?: BalloonStatistics;
  /** Most pages in one request, 1 and up. Default 256. */
  readonly batch?: number;
}

/** The balloon of one initialised device. After a reset make a new one. */
export class BalloonDriver {
  private readonly driver: VirtioDriver;
  private readonly core: Core;
  private readonly allocator: GuestAllocator;
  private readonly batch: number;
  /** The page numbers of the request that is under way. */
  private readonly list: number;
  private readonly stats: StatsBuffer | undefined;
  /** What deflated pages are filled with; undefined without PAGE_POISON. */
  private readonly poison: number | undefined;
  /** Guest addresses of the pages that the device has acknowledged. */
  private readonly pages: number[] = [];
  private request: { readonly queue: number; readonly pages: readonly number[] } | undefined;
  private numPages = 0;
  /** Pages that were taken back for want of memory; not given again before num_pages changes. */
  private reclaimed = 0;
  private told = 0;

  private constructor(
    driver: VirtioDriver,
    core: Core,
    allocator: GuestAllocator,
    poison: number | undefined,
    options: BalloonDriverOptions,
  ) {
    this.driver = driver;
    this.core = core;
    this.allocator = allocator;
    this.poison = poison;
    this.batch = options.batch ?? 256;
    this.list = allocator.allocate(this.batch * PFN_BYTES);
    const statsq = this.has("STATS_VQ") ? driver.queues[STATSQ] : undefined;
    const memoryFree = new Map([[VIRTIO_BALLOON_S_MEMFREE, () => allocator.available]]);
    this.stats = statsq && new StatsBuffer(core, allocator, statsq, options.statistics ?? memoryFree);
  }

  /**
   * Takes over an initialised device, offers it first statistics and begins to follow num_pages.
   *
   * @throws VirtioError QUEUE_NOT_READY if the device is not initialised, BAD_ARGUMENT if guest memory is too small
   */
  static async start(
    driver: VirtioDriver,
    core: Core,
    allocator: GuestAllocator,
    options: BalloonDriverOptions = {},
  ): Promise<BalloonDriver> {
    if (driver.queues[DEFLATEQ] === undefined) {
      throw new VirtioError("QUEUE_NOT_READY", "the balloon device is not initialised");
    }
    const isPoisoned = driver.negotiated?.has("PAGE_POISON", "balloon") ?? false;
    const poison = isPoisoned ? Number(await driver.readConfigField("poison_val")) : undefined;
    const balloon = new BalloonDriver(driver, core, allocator, poison, options);
    if (balloon.stats !== undefined) await driver.kick(STATSQ);
    await balloon.poll();
    return balloon;
  }

  /** Pages of 4096 bytes in the balloon: acknowledged, and not being taken back. */
  get size(): number {
    return this.pages.length;
  }

  /**
   * Does what there is to do: takes finished requests, writes `actual`, answers for statistics and asks for the next
   * step towards num_pages. To be called after each notification of the device.
   *
   * @throws VirtioError DEVICE_NEEDS_RESET once the device said so
   */
  async poll(): Promise<void> {
    this.driver.poll();
    this.settle();
    await this.tell();
    if (this.stats?.answer()) await this.driver.kick(STATSQ);
    const numPages = Number(await this.driver.readConfigField("num_pages"));
    if (numPages !== this.numPages) this.reclaimed = 0;
    this.numPages = numPages;
    const goal = Math.max(0, numPages - this.reclaimed);
    if (goal > this.size) await this.inflate(goal - this.size);
    else if (goal < this.size) await this.deflate(this.size - goal);
  }

  /**
   * Takes pages back because memory is short, whatever num_pages says; `poll` has them once the device has used the
   * request. They stay outside of the balloon until num_pages changes.
   *
   * @returns how many are on their way; 0 without DEFLATE_ON_OOM (§5.5.6.1) or while another request is under way
   */
  async reclaim(pages: number): Promise<number> {
    if (!this.has("DEFLATE_ON_OOM") || this.request !== undefined) return 0;
    const count = Math.min(pages, this.size, this.batch);
    this.reclaimed += count;
    await this.deflate(count);
    return count;
  }

  /** Gives guest memory back, the balloon's pages too, after the device was reset. */
  dispose(): void {
    for (const page of [...this.pages.splice(0), ...(this.request?.pages ?? [])]) this.allocator.free(page);
    this.request = undefined;
    this.stats?.dispose();
    this.allocator.free(this.list);
  }

  private has(feature: string): boolean {
    return this.driver.negotiated?.has(feature, "balloon") ?? false;
  }

  private async inflate(wanted: number): Promise<void> {
    if (this.request !== undefined) return;
    const pages: number[] = [];
    while (pages.length < Math.min(wanted, this.batch)) {
      const page = this.freePage();
      if (page === undefined) break;
      pages.push(page);
    }
    await this.send(INFLATEQ, pages);
  }

  private async deflate(count: number): Promise<void> {
    if (this.request !== undefined) return;
    await this.send(DEFLATEQ, this.pages.splice(Math.max(0, this.size - Math.min(count, this.batch))));
  }

  /** Only one request is under way: no page is asked back before the device has acknowledged that it got it. */
  private async send(queue: number, pages: readonly number[]): Promise<void> {
    if (pages.length === 0) return;
    const length = pages.length * PFN_BYTES;
    const { buffer, byteOffset } = this.core.view(this.list, length);
    const view = new DataView(buffer, byteOffset, length);
    for (const [i, page] of pages.entries()) view.setUint32(i * PFN_BYTES, page / PAGE_BYTES, true);
    this.driver.queues[queue]?.add([{ address: this.list, length }]);
    this.request = { queue, pages };
    await this.driver.kick(queue);
  }

  /** What the device has acknowledged: pages are the balloon's now, or the guest's again. */
  private settle(): void {
    const { request } = this;
    if (request === undefined || this.driver.queues[request.queue]?.takeUsed() !== 1) return;
    this.request = undefined;
    if (request.queue === INFLATEQ) this.pages.push(...request.pages);
    else for (const page of request.pages) this.release(page);
  }

  private release(page: number): void {
    if (this.poison !== undefined) {
      const { buffer, byteOffset } = this.core.view(page, PAGE_BYTES);
      const view = new DataView(buffer, byteOffset, PAGE_BYTES);
      for (let at = 0; at < PAGE_BYTES; at += 4) view.setUint32(at, this.poison, true);
    }
    this.allocator.free(page);
  }

  /** §5.5.6.1: `actual` after every change, and once for several. */
  private async tell(): Promise<void> {
    if (this.request !== undefined || this.told === this.size) return;
    this.told = this.size;
    await this.driver.writeConfigField("actual", this.size);
  }

  private freePage(): number | undefined {
    if (this.allocator.available < PAGE_BYTES) return undefined;
    try {
      return this.allocator.allocate(PAGE_BYTES, PAGE_BYTES);
    } catch (error) {
      if (error instanceof VirtioError && error.code === "BAD_ARGUMENT") return undefined; // in small pieces alone
      throw error;
    }
  }
}
