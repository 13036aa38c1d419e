/** Every ring that needs nothing but an engine with WebAssembly, in the order of the tables. */
import type { RingAdapter } from "../ring";
import { JS_PLAIN_PACKED } from "./js-plain-packed";
import { JS_PLAIN_SPLIT } from "./js-plain-split";
import { JS_TUNED_PACKED } from "./js-tuned-packed";
import { JS_DEVICE, JS_TUNED_SPLIT } from "./js-tuned-split";
import { NONE } from "./none";
import { WASM_DEVICE_DROP_IN } from "./object-device";
import { WASM_PACKED, WASM_PACKED_IN_ORDER, WASM_PACKED_IN_ORDER_SCALAR, WASM_SPLIT } from "./wasm";
import { WASM_DEVICE_FLAT, WASM_DEVICE_IN_WASM } from "./wasm-device";
import { WASM_LOOPBACK_PACKED, WASM_LOOPBACK_SPLIT } from "./wasm-loopback";

export const RINGS: readonly RingAdapter[] = [
  NONE,
  WASM_SPLIT,
  WASM_PACKED,
  WASM_PACKED_IN_ORDER,
  WASM_PACKED_IN_ORDER_SCALAR,
  WASM_LOOPBACK_SPLIT,
  WASM_LOOPBACK_PACKED,
  JS_PLAIN_SPLIT,
  JS_PLAIN_PACKED,
  JS_TUNED_SPLIT,
  JS_TUNED_PACKED,
  WASM_DEVICE_IN_WASM,
  WASM_DEVICE_FLAT,
  WASM_DEVICE_DROP_IN,
  JS_DEVICE,
];
