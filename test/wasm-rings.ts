/**
 * The WebAssembly core behind DriverHalf and DeviceHalf, in its release and its shared build.
 */
import type { Backend } from "./rings";

export const wasmBackends: readonly Backend[] = [];
