/** Fetches what the guest is made of, tells how far it is, and looks at each file before v86 does. */
import { checkImage, GuestImageError, IMAGES, type ImageName } from "./guest-images";

/** The files, whole and looked at. */
export type Images = Readonly<Record<ImageName, ArrayBuffer>>;

/** How far it is, in bytes over all files. */
export type OnProgress = (loaded: number, total: number) => void;

/**
 * Fetches all files at once.
 *
 * @param folder where they are, with a slash at its end
 * @throws GuestImageError for a file that is missing, or that isn't what it is taken for
 */
export async function downloadImages(folder: string, onProgress: OnProgress): Promise<Images> {
  const names = Object.keys(IMAGES) as ImageName[];
  const answers = await Promise.all(names.map((name) => ask(name, folder)));
  const lengths = answers.map(({ headers }) => Number(headers.get("content-length") ?? 0));
  const total = lengths.reduce((sum, length) => sum + length, 0);
  let loaded = 0;
  const onPiece = (bytes: number) => {
    loaded += bytes;
    onProgress(loaded, total);
  };
  const buffers = await Promise.all(answers.map((answer) => contents(answer, onPiece)));
  return Object.fromEntries(
    buffers.map((buffer, i) => {
      const name = names[i] as ImageName;
      checkImage(name, new Uint8Array(buffer));
      return [name, buffer];
    }),
  ) as unknown as Images;
}

async function ask(name: ImageName, folder: string): Promise<Response> {
  const { file, what } = IMAGES[name];
  const response = await fetch(folder + file);
  if (response.ok) return response;
  const found = `HTTP ${response.status} ${response.statusText}`.trim();
  throw new GuestImageError(file, `${what} in ${folder}`, found);
}

function contents({ body }: Response, onPiece: (bytes: number) => void): Promise<ArrayBuffer> {
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(piece, controller) {
      onPiece(piece.length);
      controller.enqueue(piece);
    },
  });
  return new Response(body?.pipeThrough(counted) ?? null).arrayBuffer();
}
