/**
 * The configuration layouts of the device types that virtq knows (§5.1.4, §5.2.4, §5.3.4, §5.5.4, §5.11.4).
 * Data only. A field exists when any bit of `anyOf` is offered; its offset never depends on that (§2.5).
 */
import type { DeviceType } from "./feature-table";

/**
 * When the driver may write a field: never, from FEATURES_OK on, between FEATURES_OK and DRIVER_OK (§5.5.6.6), or at any
 * time once it is offered (§5.3.4).
 */
export type Writable = false | "after-features-ok" | "until-driver-ok" | "any-time";

/** Where a field lies and what it hangs on. */
export interface ConfigLayout {
  readonly name: string;
  /** Bytes from the start of the device-specific configuration. */
  readonly offset: number;
  /** Length in bytes. */
  readonly bytes: number;
  /** The field exists when any of these is offered; empty: always. */
  readonly anyOf: readonly string[];
  readonly writable: Writable;
}

type Row = readonly [name: string, offset: number, bytes: number, anyOf?: string, writable?: Writable];

const net: readonly Row[] = [
  ["mac", 0, 6],
  ["status", 6, 2, "STATUS"],
  ["max_virtqueue_pairs", 8, 2, "MQ RSS"],
  ["mtu", 10, 2, "MTU"],
  ["speed", 12, 4, "SPEED_DUPLEX"],
  ["duplex", 16, 1, "SPEED_DUPLEX"],
  ["rss_max_key_size", 17, 1, "RSS HASH_REPORT"],
  ["rss_max_indirection_table_length", 18, 2, "RSS"],
  ["supported_hash_types", 20, 4, "RSS HASH_REPORT"],
  ["supported_tunnel_types", 24, 4, "HASH_TUNNEL"],
];

const blk: readonly Row[] = [
  ["capacity", 0, 8],
  ["size_max", 8, 4, "SIZE_MAX"],
  ["seg_max", 12, 4, "SEG_MAX"],
  ["geometry.cylinders", 16, 2, "GEOMETRY"],
  ["geometry.heads", 18, 1, "GEOMETRY"],
  ["geometry.sectors", 19, 1, "GEOMETRY"],
  ["blk_size", 20, 4, "BLK_SIZE"],
  ["topology.physical_block_exp", 24, 1, "TOPOLOGY"],
  ["topology.alignment_offset", 25, 1, "TOPOLOGY"],
  ["topology.min_io_size", 26, 2, "TOPOLOGY"],
  ["topology.opt_io_size", 28, 4, "TOPOLOGY"],
  ["writeback", 32, 1, "CONFIG_WCE", "after-features-ok"],
  ["num_queues", 34, 2, "MQ"],
  ["max_discard_sectors", 36, 4, "DISCARD"],
  ["max_discard_seg", 40, 4, "DISCARD"],
  ["discard_sector_alignment", 44, 4, "DISCARD"],
  ["max_write_zeroes_sectors", 48, 4, "WRITE_ZEROES"],
  ["max_write_zeroes_seg", 52, 4, "WRITE_ZEROES"],
  ["write_zeroes_may_unmap", 56, 1, "WRITE_ZEROES"],
  ["max_secure_erase_sectors", 60, 4, "SECURE_ERASE"],
  ["max_secure_erase_seg", 64, 4, "SECURE_ERASE"],
  ["secure_erase_sector_alignment", 68, 4, "SECURE_ERASE"],
  ["zoned.zone_sectors", 72, 4, "ZONED"],
  ["zoned.max_open_zones", 76, 4, "ZONED"],
  ["zoned.max_active_zones", 80, 4, "ZONED"],
  ["zoned.max_append_sectors", 84, 4, "ZONED"],
  ["zoned.write_granularity", 88, 4, "ZONED"],
  ["zoned.model", 92, 1, "ZONED"],
];

const console: readonly Row[] = [
  ["cols", 0, 2, "SIZE"],
  ["rows", 2, 2, "SIZE"],
  ["max_nr_ports", 4, 4, "MULTIPORT"],
  ["emerg_wr", 8, 4, "EMERG_WRITE", "any-time"],
];

const balloon: readonly Row[] = [
  ["num_pages", 0, 4],
  ["actual", 4, 4, "", "after-features-ok"],
  ["free_page_hint_cmd_id", 8, 4, "FREE_PAGE_HINT"],
  ["poison_val", 12, 4, "PAGE_POISON", "until-driver-ok"],
];

const fs: readonly Row[] = [
  ["tag", 0, 36],
  ["num_request_queues", 36, 4],
  ["notify_buf_size", 40, 4, "NOTIFICATION"],
];

function layouts(rows: readonly Row[]): readonly ConfigLayout[] {
  return rows.map(([name, offset, bytes, anyOf = "", writable = false]) => ({
    name,
    offset,
    bytes,
    anyOf: anyOf === "" ? [] : anyOf.split(" "),
    writable,
  }));
}

/** The device-specific configuration by device type; 9p's tag has no fixed length, so only its length field is here. */
export const CONFIG_LAYOUTS: Readonly<Record<DeviceType, readonly ConfigLayout[]>> = {
  net: layouts(net),
  blk: layouts(blk),
  console: layouts(console),
  entropy: [],
  balloon: layouts(balloon),
  "9p": layouts([["tag_len", 0, 2, "MOUNT_TAG"]]),
  fs: layouts(fs),
};
