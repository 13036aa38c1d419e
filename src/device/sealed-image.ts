/**
 * Images as plain data with a schema and a checksum, and how one that came from anywhere is read (docs/decisions/0006).
 * What fields it has is its shape's to say, whether it fits its owner's.
 */
import { imageChecksum } from "../virtqueue/queue-image";
import { invalid, oneOf, type Shape } from "./image-shape";

/** An image without its checksum, which is FNV-1a over all the rest. */
export type Unsealed<Image> = Omit<Image, "checksum">;

/** Completes an image. */
export function sealed<Image extends object>(image: Image): Image & { readonly checksum: number } {
  return { ...image, checksum: imageChecksum(image) };
}

/**
 * Reads an image, or its text: no byte may be missing, added or changed.
 *
 * @param given anything; it is copied, so nobody can change it afterwards
 * @throws VirtioError SNAPSHOT_INVALID
 */
export function readSealed<Image extends { readonly checksum: number }>(
  given: unknown,
  schemaName: string,
  shape: Shape<Image>,
): Image {
  const plain = typeof given === "string" ? parsed(given) : copied(given);
  const { schema } = Object(plain) as { schema?: unknown };
  oneOf(schemaName)(schema, "schema"); // first of all: a later version has other fields
  const image = shape(plain, "image");
  const { checksum, ...rest } = plain as Image;
  const sum = imageChecksum(rest);
  if (sum !== checksum) invalid(`checksum ${checksum}, the data has ${sum}`);
  return image;
}

function parsed(text: string): unknown {
  let plain: unknown;
  let again = "";
  try {
    plain = JSON.parse(text);
    again = JSON.stringify(plain);
  } catch (cause) {
    invalid(`${text.length} characters are no image: ${(cause as Error).message}`, cause);
  }
  if (again !== text) invalid(`${text.length} characters, what they hold has ${again.length}`);
  return plain;
}

/** Only what JSON can carry. */
function copied(given: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(given) ?? "null");
  } catch (cause) {
    return invalid(`an image is plain data: ${cause instanceof Error ? cause.message : "not JSON"}`, cause);
  }
}
