/** The rings of two workers by name, and what each negotiates. */
import type { WasmKind } from "../rings/wasm-queue";

export const SHARED_KINDS: Readonly<Record<string, WasmKind>> = {
  "shared-split": { layout: "split", inOrder: false },
  "shared-packed": { layout: "packed", inOrder: false },
  "shared-packed-in-order": { layout: "packed", inOrder: true },
};
export const SHARED_NAMES = Object.keys(SHARED_KINDS);
