/**
 * A half of a queue as plain, versioned, checked data, and back: all or nothing. The rings themselves stay in guest
 * memory; what is saved is the half's own line and its shadow (assembly/queue-state.ts).
 */
import * as abi from "../../assembly/abi";
import type { Core } from "../core/core";
import { VirtioError } from "../errors";
import { field, invalid, judgeDevice, judgeDriver, type QueueImage, ROW } from "./queue-image-judge";
import type { QueueOptions, RingHalf } from "./ring-half";

export type { QueueImage };

const LINE_WORDS = 16;
const U16 = 0xffff;
/** Feature bits of the struct that belong to where the queue runs, not to its state. */
const LOCAL_BITS = abi.OPTION_LOG | abi.OPTION_SCALAR | abi.RESOLVED_FOURS;

/** FNV-1a over the JSON text of plain data, a u32: finds accidents, and nobody who means it. */
export function imageChecksum(data: object): number {
  const text = JSON.stringify(data);
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}

const lineAt = (half: RingHalf): number =>
  half.q + (half.role === abi.ROLE_DRIVER ? abi.DRIVER_STATE : abi.DEVICE_STATE);

const shadowAt = (half: RingHalf): number =>
  half.q + (half.role === abi.ROLE_DRIVER ? half.state.driverShadow : half.state.deviceShadow);

/** Saves a half. @throws VirtioError QUEUE_BROKEN when the ring was broken by the other side */
export function saveHalf(
  half: RingHalf,
  core: Core,
  held: readonly (readonly [number, number])[] = [],
): QueueImage {
  if (half.error)
    throw new VirtioError("QUEUE_BROKEN", `queue ${half.index} is broken (${half.error}), reset it first`);
  const words = core.words();
  const word = (linear: number): number => words[linear >>> 2] ?? 0;
  const line = Array.from({ length: LINE_WORDS }, (_, i) => word(lineAt(half) + 4 * i));
  line[0] = 0; // in service, as whatever it is put into
  line[LINE_WORDS - 1] = 0; // touched ranges are not part of the state
  const shadow: number[] = [];
  for (let slot = 0; slot < half.size; slot++) {
    const at = shadowAt(half) + slot * abi.SHADOW_BYTES;
    const [low, high] = [word(at), word(at + 4)];
    shadow.push(low & U16, low >>> 16, high & U16, high >>> 16, word(at + 8) + word(at + 12) * 0x100000000);
  }
  const image: Omit<QueueImage, "checksum"> = {
    schema: "virtq.queue/1",
    role: half.role === abi.ROLE_DRIVER ? "driver" : "device",
    layout: half.ring.layout,
    index: half.index,
    size: half.size,
    features: word(half.q + abi.QUEUE_FEATURES) & ~LOCAL_BITS,
    line,
    shadow,
    inFlight: tokensInOrder(half.role, half.ring.layout, line, shadow),
    held,
  };
  return { ...image, checksum: imageChecksum(image) };
}

/** Tokens in flight, those of a device by the turn that their link counts. */
function tokensInOrder(
  role: number,
  layout: "split" | "packed",
  line: readonly number[],
  shadow: readonly number[],
): number[] {
  const rows: { token: number; link: number }[] = [];
  for (let slot = 0; slot * ROW < shadow.length; slot++) {
    const [link = 0, generation = 0, count = 0] = shadow.slice(slot * ROW, slot * ROW + 3);
    if (count) rows.push({ token: slot | (generation << 16), link });
  }
  if (role === abi.ROLE_DRIVER) return rows.map((row) => row.token);
  const next = field(line, layout === "split" ? abi.DEVICE_AVAIL : abi.DEVICE_TAKEN, abi.DEVICE_STATE);
  const age = (link: number): number => (next - link) & U16;
  return rows.sort((a, b) => age(b.link) - age(a.link)).map((row) => row.token);
}

/** Makes a queue by `make` and puts an image into it; on any doubt the queue is disposed of and nothing has changed. */
export function restoreHalf<T extends RingHalf>(
  image: QueueImage,
  options: QueueOptions,
  make: () => T,
  core: Core,
): T {
  judgeShape(image, options);
  let half: T;
  try {
    half = make();
  } catch (cause) {
    invalid(cause instanceof Error ? cause.message : String(cause));
  }
  try {
    const bits = (core.words()[(half.q + abi.QUEUE_FEATURES) >>> 2] ?? 0) & ~LOCAL_BITS;
    if (bits !== image.features) invalid(`image has feature bits ${image.features}, the queue ${bits}`);
    if ((image.role === "driver") !== (half.role === abi.ROLE_DRIVER))
      invalid(`image of a ${image.role} half`);
    if (half.role === abi.ROLE_DRIVER) judgeDriver(image, half.ring.inOrder);
    else judgeDevice(image, half.ring.inOrder);
    judgeTokens(image, half.role, half.ring.inOrder);
  } catch (cause) {
    half.dispose();
    throw cause;
  }
  const words = core.words();
  image.line.forEach((value, i) => {
    if (i > 0) words[(lineAt(half) >>> 2) + i] = value;
  });
  for (let slot = 0; slot < image.size; slot++) {
    const [link = 0, generation = 0, count = 0, id = 0, writable = 0] = image.shadow.slice(
      slot * ROW,
      slot * ROW + ROW,
    );
    const at = (shadowAt(half) + slot * abi.SHADOW_BYTES) >>> 2;
    words[at] = link | (generation << 16);
    words[at + 1] = count | (id << 16);
    words[at + 2] = writable >>> 0;
    words[at + 3] = Math.floor(writable / 0x100000000);
  }
  return half;
}

const KEYS = "checksum features held inFlight index layout line role schema shadow size";

function judgeShape(image: QueueImage, options: QueueOptions): void {
  if (typeof image !== "object" || image === null || Object.keys(image).sort().join(" ") !== KEYS) {
    invalid(`an image has the fields ${KEYS}`);
  }
  const { checksum: given, ...rest } = image;
  if (image.schema !== "virtq.queue/1") invalid(`schema ${String(image.schema)}, known is virtq.queue/1`);
  const sum = imageChecksum(rest);
  if (sum !== given) invalid(`checksum ${String(given)}, the data has ${sum}`);
  if (image.size !== options.size)
    invalid(`image of queue size ${image.size}, the queue has ${options.size}`);
  if (image.index !== options.index) invalid(`image of queue ${image.index}, not ${options.index}`);
  if (image.layout !== options.ring.layout)
    invalid(`image of a ${image.layout} ring, the queue's is ${options.ring.layout}`);
  const { line, shadow, inFlight, held } = image;
  if (![line, shadow, inFlight, held].every(Array.isArray) || !held.every(isPair))
    invalid("line, shadow, inFlight and held are lists, and held is one of pairs");
  const numbers = [...line, ...shadow, ...inFlight, ...held.flat()];
  if (line.length !== LINE_WORDS || shadow.length !== image.size * ROW) {
    invalid(`${line.length} line words and ${shadow.length} shadow values for size ${image.size}`);
  }
  const bad = numbers.find((value) => !Number.isSafeInteger(value) || value < 0);
  if (bad !== undefined) invalid(`value ${String(bad)} in the image`);
  if (field(line, 0, 0) !== 0) invalid("an image of a broken queue");
}

const isPair = (value: unknown): boolean => Array.isArray(value) && value.length === 2;

/** The lists that repeat what the shadow says: they must say the same. */
function judgeTokens(image: QueueImage, role: number, inOrder: boolean): void {
  const tokens = tokensInOrder(role, image.layout, image.line, image.shadow);
  if (tokens.join() !== image.inFlight.join()) {
    invalid(`tokens ${image.inFlight.join()} in flight, the shadow has ${tokens.join()}`);
  }
  const held = image.held.map(([token]) => token);
  if (held.length > 0 && (!inOrder || held.includes(tokens[0] ?? 0) || new Set(held).size < held.length)) {
    invalid(`held completions ${held.join()}, of tokens ${tokens.join()}: only later ones wait, each once`);
  }
  for (const [token, written] of image.held) {
    const row = image.shadow.slice((token & U16) * ROW, (token & U16) * ROW + ROW);
    if (!tokens.includes(token) || !Number.isInteger(written) || written < 0 || written > (row[4] ?? 0)) {
      invalid(`a held completion of token ${token} with ${written} of ${row[4] ?? 0} bytes`);
    }
  }
}
