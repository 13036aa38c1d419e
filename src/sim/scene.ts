/**
 * A scene: a short story between drivers and devices with a known ending. It plays on real parts and states what must
 * come of it, check by check; it passes when all of that came, and nothing was found that it doesn't announce.
 */
import type { Core } from "../core/core";
import { loadCore } from "../core/core";
import { Transcript, type TranscriptEvent } from "../trace/transcript";
import { findingsOf, type RunFinding } from "./findings";
import { Pair, type PairOptions } from "./pair";

/** A story. */
export interface Scene {
  /** For the command line, in kebab case. */
  readonly name: string;
  /** One line: who does what. */
  readonly summary: string;
  /** How it must end, in a sentence. */
  readonly ending: string;
  /** Clauses that are broken in it, on purpose; another one, or one that isn't, is a failure. */
  readonly findings?: readonly string[];
  play(stage: Stage): Promise<void>;
}

/** Something that had to come of a scene. */
export interface SceneCheck {
  readonly what: string;
  readonly expected: string;
  readonly actual: string;
  readonly isMet: boolean;
}

/** What a scene came to. */
export interface SceneReport {
  readonly scenario: string;
  readonly summary: string;
  readonly ending: string;
  /** Whether the ending came. */
  readonly passed: boolean;
  readonly checks: readonly SceneCheck[];
  readonly transcript: readonly TranscriptEvent[];
  readonly findings: readonly RunFinding[];
  /** Clauses that the scene announces. */
  readonly announced: readonly string[];
}

const GUEST_BYTES = 4 * 1024 * 1024;

/** What a scene plays on. */
export class Stage {
  readonly core: Core;
  readonly transcript = new Transcript();
  private readonly pairs: Pair[] = [];
  private readonly checks: SceneCheck[] = [];

  private constructor(core: Core) {
    this.core = core;
  }

  /** An empty stage with guest memory of its own. */
  static async open(): Promise<Stage> {
    return new Stage(await loadCore({ guestBytes: GUEST_BYTES }));
  }

  /** A driver and a device, served by themselves, before anything has happened between them. */
  pair(options: StagePair): Pair {
    const [first] = this.pairs;
    const pair = new Pair({
      pumped: true,
      queueSize: 64,
      ...options,
      core: this.core,
      transcript: this.transcript,
      ...(first === undefined ? {} : { allocator: first.allocator }),
    });
    this.pairs.push(pair);
    return pair;
  }

  /** Notes what came, and what had to come: both as text, or as values that are compared as JSON. */
  check(what: string, actual: unknown, expected: unknown): void {
    const [is, shall] = [textOf(actual), textOf(expected)];
    this.checks.push({ what, expected: shall, actual: is, isMet: is === shall });
  }

  /** The end: the lint over every pair, and whether it found what the scene announces. */
  report({ name, summary, ending, findings: announced = [] }: Scene): SceneReport {
    const findings = this.pairs.flatMap((pair) => findingsOf(pair, this.transcript.events));
    const clauses = findings.map(({ clause }) => clause);
    this.check("clauses broken", listOf(clauses), listOf(announced));
    const { checks, transcript } = this;
    const passed = checks.every(({ isMet }) => isMet);
    return {
      scenario: name,
      summary,
      ending,
      passed,
      checks,
      transcript: transcript.events,
      findings,
      announced,
    };
  }
}

/** What a scene decides about a pair. */
export type StagePair = Omit<PairOptions, "core" | "transcript" | "allocator">;

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function listOf(clauses: readonly string[]): string {
  return [...new Set(clauses)].sort().join(", ") || "none";
}
