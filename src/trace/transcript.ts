/**
 * What happened on the control plane, in order: for a program as plain data, for a person as a table.
 * It listens to a driver and a device through their `onEvent`; neither knows of it.
 */
import type { ControlEvent, EventSink } from "../negotiation/control-event";
import { type TranscriptTableOptions, transcriptTable } from "./transcript-table";

/** An event with its place in the transcript. */
export interface TranscriptEvent extends ControlEvent {
  /** 0 and up, without gaps. */
  readonly seq: number;
  /** Milliseconds since the first event, by the transcript's clock. */
  readonly time: number;
}

/** How a transcript is kept. */
export interface TranscriptOptions {
  /** Milliseconds, from any start. Default: `performance.now()`. */
  readonly clock?: () => number;
  /** Most events kept; later ones are only counted. Default 10,000. */
  readonly limit?: number;
}

/** The transcript as plain data. */
export interface TranscriptJson {
  readonly schema: "virtq.transcript/1";
  readonly events: readonly TranscriptEvent[];
  /** Events beyond the limit. */
  readonly dropped: number;
}

/** Collects control events. */
export class Transcript {
  /** To be given to a driver and a device as `onEvent`. */
  readonly sink: EventSink;
  private readonly kept: TranscriptEvent[] = [];
  private readonly clock: () => number;
  private readonly limit: number;
  private start = 0;
  private count = 0;

  constructor(options: TranscriptOptions = {}) {
    this.clock = options.clock ?? (() => performance.now());
    this.limit = options.limit ?? 10_000;
    this.sink = (event) => this.add(event);
  }

  /** The events so far, in order. */
  get events(): readonly TranscriptEvent[] {
    return this.kept;
  }

  /** Events that were not kept because of the limit. */
  get dropped(): number {
    return this.count - this.kept.length;
  }

  /** The events that carry a code: breaches and refusals. */
  get findings(): readonly TranscriptEvent[] {
    return this.kept.filter(({ code }) => code !== undefined);
  }

  toJSON(): TranscriptJson {
    return { schema: "virtq.transcript/1", events: this.kept, dropped: this.dropped };
  }

  /** The table of {@link transcriptTable}, and how many events were not kept. */
  toText(options: TranscriptTableOptions = {}): string {
    const text = transcriptTable(this.kept, options);
    return this.dropped > 0 ? `${text}\n… and ${this.dropped} more` : text;
  }

  private add(event: ControlEvent): void {
    if (this.count === 0) this.start = this.clock();
    this.count++;
    if (this.kept.length >= this.limit) return;
    this.kept.push({ seq: this.kept.length, time: this.clock() - this.start, ...event });
  }
}
