/**
 * What stands behind a block device (§5.2.6): the interface between the model and the bytes.
 * A call that returns nothing is finished; a Promise finishes later, and several may finish in any order.
 * Backends never see a ring, a header or a status byte.
 */

/** The guest memory of one request, as the backend may touch it. */
export interface GuestBytes {
  /** Bytes of all views together: a multiple of 512, possibly 0. */
  readonly length: number;
  /**
   * The guest's own memory, one view per segment and in order: nothing is copied on the way.
   * Take the views anew after every `await`: guest memory may have grown, which empties older views,
   * or the device may have been reset, after which it must not touch guest memory (§2.4.2).
   *
   * @throws VirtioError DEVICE_NEEDS_RESET when the request was dropped by a reset
   */
  views(): readonly Uint8Array[];
}

/** Storage for a block device. A throw or a rejection becomes VIRTIO_BLK_S_IOERR. */
export interface BlkBackend {
  /** Size in sectors of 512 bytes. */
  readonly sectors: number;
  /** Fills the views from `sector` on; the model has checked that it is within `sectors`. */
  read(sector: number, target: GuestBytes): void | Promise<void>;
  /** Stores the views from `sector` on; the model has checked that it is within `sectors`. */
  write(sector: number, source: GuestBytes): void | Promise<void>;
  /** Makes every finished write durable. */
  flush(): void | Promise<void>;
}
