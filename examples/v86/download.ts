/** Fetches what the guest is made of, tells how far it is, and looks at each file before v86 does. */
import { checkImage, GuestImageError, IMAGES, type ImageName } from "./guest-images";

/** The files, whole and looked at. */
export type Images = Readonly<Record<ImageName, ArrayBuffer>>;

/** How far it is, in bytes over all files; `total` grows as their lengths come in. */
export type OnProgress = (loaded: number, total: number) => void;

/**
 * Fetches all files at once.
 *
 * @param folder where they are, with a slash at its end
 * @throws GuestImageError for a file that is missing, or that isn't what it is taken for
 */
export async function downloadImages(folder: string, onProgress: OnProgress): Promise<Images> {
  const sums = { loaded: 0, total: 0 };
  const add = (loaded: number, total: number) => {
    sums.loaded += loaded;
    sums.total += total;
    onProgress(sums.loaded, sums.total);
  };
  const names = Object.keys(IMAGES) as ImageName[];
  const entries = names.map(async (name) => [name, await download(name, folder, add)] as const);
  return Object.fromEntries(await Promise.all(entries)) as unknown as Images;
}

async function download(name: ImageName, folder: string, add: OnProgress): Promise<ArrayBuffer> {
  const { file, what } = IMAGES[name];
  const response = await fetch(folder + file);
  if (!response.ok || response.body === null) {
    throw new GuestImageError(file, `${what} in ${folder}`, `HTTP ${response.status} ${response.statusText}`);
  }
  add(0, Number(response.headers.get("content-length") ?? 0));
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(piece, controller) {
      add(piece.length, 0);
      controller.enqueue(piece);
    },
  });
  const buffer = await new Response(response.body.pipeThrough(counted)).arrayBuffer();
  checkImage(name, new Uint8Array(buffer));
  return buffer;
}
