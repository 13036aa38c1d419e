/**
 * What the package's own name means within the repository: its sources. Examples and the page of examples/v86 import
 * `virtq/…` as a user does, and need no build but the core's.
 */
import { fileURLToPath } from "node:url";

const source = fileURLToPath(new URL("../src/", import.meta.url));

/** For `resolve.alias` of Vite and Vitest. */
export const ownName = [
  { find: /^virtq$/, replacement: `${source}index.ts` },
  { find: /^virtq\/(models|transport|conformance|scenarios|node|v86)$/, replacement: `${source}$1.ts` },
];
