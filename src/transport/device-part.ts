/**
 * The device within the image of its transport, and what of the two has to agree: what is programmed for a queue in use is
 * locked, so it can't differ from what the queue was set up as (§4.1.4.3.2, §4.2.2.2).
 */
import { type DeviceImage, readImage } from "../device/device-image-form";
import { invalid, type Shape } from "../device/image-shape";
import type { QueueSetup } from "../device/queues";

/** As it was given, for its checksum is over its text. */
export const DEVICE_PART: Shape<DeviceImage> = (value) => {
  readImage(value);
  return value as DeviceImage;
};

/**
 * Holds what is programmed against the queues in use.
 *
 * @param setupsOf what enabling the queue now could set up, by each way to enable it
 * @throws VirtioError SNAPSHOT_INVALID
 */
export function judgeProgrammed(
  { queues }: DeviceImage,
  setupsOf: (index: number) => readonly QueueSetup[],
): void {
  for (const { index, setup } of queues) {
    if (setup === null) continue;
    const isSame = setupsOf(index).some(
      ({ size, areas }) =>
        size === setup.size &&
        (["descriptor", "driver", "device"] as const).every(
          (area) => BigInt(areas[area]) === BigInt(setup.areas[area]),
        ),
    );
    if (!isSame) invalid(`queue ${index} is in use, and something else is programmed for it`);
  }
}
