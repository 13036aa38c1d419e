/**
 * What all images have in common: a checksum over plain data, and a text form that is JSON's to the character. What is
 * in them, and whether that holds together, is for their own files.
 */
import { imageChecksum } from "../virtqueue/queue-image";
import { invalid, oneOf, type Shape } from "./image-shape";

/** An image ends with this. */
export interface Sealed {
  /** FNV-1a over all the rest. */
  readonly checksum: number;
}

/** Completes an image. */
export function sealed<T extends object>(image: T): T & Sealed {
  return { ...image, checksum: imageChecksum(image) };
}

/**
 * Reads an image, or its text: no byte may be missing, added or changed.
 *
 * @param given anything; it is copied, so nobody can change it afterwards
 * @param schema name and version that it must have
 * @throws VirtioError SNAPSHOT_INVALID
 */
export function readSealed<T extends Sealed>(given: unknown, schema: string, shape: Shape<T>): T {
  const plain = typeof given === "string" ? parsed(given) : copied(given);
  const { schema: found } = Object(plain) as { schema?: unknown };
  oneOf(schema)(found, "schema"); // first of all: a later version has other fields
  const image = shape(plain, "image");
  const { checksum, ...rest } = plain as T;
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
