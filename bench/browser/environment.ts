/** Where a result was measured, as far as a browser tells: little of the machine, but its own engine and clock. */
import { clockStep } from "../effort";
import type { Environment } from "../result";

/** Of Chromium alone, and of secure pages alone. */
interface AgentData {
  readonly platform: string;
  getHighEntropyValues(hints: readonly string[]): Promise<{
    readonly architecture?: string;
    readonly bitness?: string;
    readonly platformVersion?: string;
  }>;
}

const ENGINES: readonly (readonly [pattern: RegExp, engine: string])[] = [
  [/\bFirefox\/([\d.]+)/, "Firefox $1, SpiderMonkey"],
  [/\bEdg\/([\d.]+)/, "Edge $1, V8"],
  [/\b(?:Headless)?Chrome\/([\d.]+)/, "Chromium $1, V8"],
  [/\bVersion\/([\d.]+).*\bSafari\//, "Safari $1, JavaScriptCore"],
];

/** Browser and JavaScript engine by the user agent's own text. */
export function engineOf(userAgent: string): string {
  for (const [pattern, engine] of ENGINES) {
    const version = pattern.exec(userAgent)?.[1];
    if (version !== undefined) return engine.replace("$1", version);
  }
  return userAgent;
}

/**
 * Describes this browser.
 *
 * @param version of virtq; commit: null where it isn't known
 */
export async function environment(version: string, commit: string | null): Promise<Environment> {
  const { userAgent, hardwareConcurrency } = navigator;
  const { userAgentData, deviceMemory } = navigator as { userAgentData?: AgentData; deviceMemory?: number };
  const more = await userAgentData?.getHighEntropyValues(["architecture", "bitness", "platformVersion"]);
  const isolation = crossOriginIsolated ? "cross-origin isolated" : "not cross-origin isolated";
  const step = Math.round(clockStep() / 100) / 10;
  return {
    cpu: "unknown",
    cores: hardwareConcurrency,
    caches: null,
    memoryBytes: deviceMemory === undefined ? null : deviceMemory * 2 ** 30,
    os: `${userAgentData?.platform ?? "unknown"} ${more?.platformVersion ?? ""}`.trim(),
    arch: `${more?.architecture ?? ""}${more?.bitness ? ` ${more.bitness} bit` : ""}`.trim() || "unknown",
    engine: `${engineOf(userAgent)}, ${isolation}, clock of ${step} µs`,
    compiler: null,
    version,
    commit,
    seed: 1,
    load: [],
  };
}
