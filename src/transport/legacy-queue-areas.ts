/**
 * Where the three areas of a legacy queue are (§2.7.2): a legacy driver names its descriptor table alone, as a page.
 */
import { ringAreas } from "../virtqueue/layout";

/** Guest-physical addresses of a queue's areas. */
export interface LegacyAreas {
  readonly descriptor: bigint;
  readonly driver: bigint;
  readonly device: bigint;
}

/**
 * The available ring is right behind the descriptors, the used ring at the next boundary behind that.
 *
 * @param descriptor guest-physical address of the descriptor table
 * @param size descriptors
 * @param align of the used ring, bytes, a power of two
 */
export function legacyAreas(descriptor: bigint, size: number, align: number): LegacyAreas {
  const areas = ringAreas("split", size);
  const driver = descriptor + BigInt(areas.descriptor.bytes);
  const behind = driver + BigInt(areas.driver.bytes);
  const boundary = BigInt(align);
  return { descriptor, driver, device: ((behind + boundary - 1n) / boundary) * boundary };
}
