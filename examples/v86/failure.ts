/** What went wrong, as a person can use it: what was expected, what was found, what to do. */
import { VirtioError } from "virtq";
import { V86_VERSION } from "virtq/v86";
import { element } from "./element";
import { GuestImageError } from "./guest-images";

/** How an error is told. */
export interface Failure {
  readonly title: string;
  readonly expected: string;
  readonly found: string;
  readonly advice: string;
}

/**
 * Puts an error into words.
 *
 * @param v86 the version of v86 that was found
 */
export function failureOf(error: unknown, v86: string): Failure {
  if (error instanceof GuestImageError) {
    const { file, expected, found } = error;
    const advice =
      "“npm run example:v86” makes the files ready, from Debian’s packages, and serves this page.";
    return { title: `${file} can’t be booted`, expected, found, advice };
  }
  const found = error instanceof Error ? error.message : String(error);
  if (error instanceof VirtioError && error.code === "EMULATOR_UNSUPPORTED") {
    const advice = `“npm install v86@${V86_VERSION}” is the one that was tried.`;
    return { title: "Another v86", expected: `v86 ${V86_VERSION}`, found: `v86 ${v86}: ${found}`, advice };
  }
  const advice = "The browser’s console may say more.";
  return { title: "The guest can’t be started", expected: "a machine that runs", found, advice };
}

/** Shows it in the place of the guest. */
export function showFailure({ title, expected, found, advice }: Failure): void {
  const panel = element(document, "#failure");
  element(panel, "h2").textContent = title;
  element(panel, "#expected").textContent = expected;
  element(panel, "#found").textContent = found;
  element(panel, "#advice").textContent = advice;
  panel.hidden = false;
  element(document, "#machine").hidden = true;
}
