/**
 * Suspend and resume (§3.4): what is in progress is finished, the model is asked, and the status follows. Both are
 * begun by a status write and finished by `settle`, on the host's time.
 */
import type { VirtioError } from "../errors";
import { VIRTIO_CONFIG_S_DRIVER_OK as DRIVER_OK, VIRTIO_CONFIG_S_SUSPEND as SUSPEND } from "../spec/status";
import type { DeviceQueue } from "../virtqueue/device-queue";
import type { ConfigSpace } from "./config-space";
import type { DeviceFeatures } from "./device-features";
import type { DeviceReporter, DeviceState } from "./device-state";
import type { Interrupts } from "./interrupts";
import type { LateWork } from "./late-work";
import type { DeviceModel } from "./model";
import { asVirtioError, type QueueService } from "./queue-service";
import type { DeviceQueues } from "./queues";

/** The device around it. */
export interface SuspensionParts {
  readonly model: DeviceModel;
  readonly state: DeviceState;
  readonly features: DeviceFeatures;
  readonly config: ConfigSpace;
  readonly queues: DeviceQueues;
  readonly service: QueueService;
  readonly interrupts: Interrupts;
  readonly late: LateWork;
  readonly report: DeviceReporter;
  readonly onWork: (() => void) | undefined;
  /** Tells the model that the driver is ready. */
  start(): void;
  /** The model failed. */
  needsReset(error: VirtioError): void;
}

/** Takes one device into suspend and out of it. */
export class Suspension {
  private readonly parts: SuspensionParts;
  /** A model's own suspend or resume is under way. */
  private waiting = false;
  /** It was asked to suspend and answered while it still held chains: these are waited for. */
  private hasAnswered = false;
  /** Restored while it was suspended: the model has not been started yet. */
  private unstarted = false;
  /** The queues that were empty when the device became suspended. */
  private drained: readonly DeviceQueue[] = [];

  constructor(parts: SuspensionParts) {
    this.parts = parts;
  }

  /** Whether `settle` would get on. */
  get canSettle(): boolean {
    const { phase, outstanding } = this.parts.state;
    if (this.waiting) return false;
    if (phase === "suspending") return this.isQuiet || (outstanding === 0 && !this.hasAnswered);
    return phase === "resuming";
  }

  /** Finishes a suspend or a resume that is due. */
  settle(): void {
    if (!this.canSettle) return;
    const { phase } = this.parts.state;
    if (phase === "resuming" && this.unstarted) this.startLate();
    else if (phase === "resuming") this.ask("resume", () => this.resumed());
    else this.ask("suspend", () => this.suspended());
  }

  /** The model is started when the driver resumes: the device was restored while it was suspended. */
  startLater(): void {
    this.unstarted = true;
  }

  /** Forgets what was under way. */
  reset(): void {
    this.waiting = false;
    this.hasAnswered = false;
    this.unstarted = false;
    this.drained = [];
  }

  /**
   * §3.4.1: no more buffers are taken; what is in progress is finished first. The configuration stands still from here
   * on, so a change is told at the resume, when the driver can read it.
   */
  begin(what: "suspend" | "resume"): void {
    const { config, features, interrupts, onWork } = this.parts;
    if (what === "suspend") {
      config.freeze(features.applied);
      interrupts.configEnabled = false;
      this.hasAnswered = false;
    } else this.tellExposed();
    onWork?.();
  }

  /** §3.4.1: what is in a queue that was empty was made available while the device was suspended. */
  private tellExposed(): void {
    for (const queue of this.drained) {
      if (!queue.alive || !queue.hasAvailable()) continue;
      const note = "buffers were made available while the device was suspended";
      this.parts.report.event({ step: "exposed", field: `queue ${queue.index}`, section: "3.4.1", note });
    }
    this.drained = [];
  }

  /** Nothing is in progress: no answer is waited for, and no chain of a whole queue is with the model. */
  private get isQuiet(): boolean {
    return this.parts.state.outstanding === 0 && this.parts.queues.isQuiet;
  }

  /** Asks the model, which may take its time; `done` follows unless the device was reset or broke meanwhile. */
  private ask(what: "suspend" | "resume", done: () => void): void {
    const { model, state, late } = this.parts;
    const { life, phase } = state;
    const isWanted = () => state.life === life && state.phase === phase;
    const failed = (error: unknown) => {
      this.waiting = false;
      this.parts.needsReset(asVirtioError(error));
    };
    try {
      const answer = model[what]?.();
      if (!(answer instanceof Promise)) {
        done();
        return;
      }
      this.waiting = true;
      const then = () => {
        this.waiting = false;
        done();
      };
      late.follow(answer, isWanted, then, failed);
    } catch (error) {
      failed(error);
    }
  }

  private suspended(): void {
    const { state, service, report } = this.parts;
    this.hasAnswered = true;
    service.publishAll(); // §3.4.1: used buffer notifications go out before the status says so
    if (state.phase !== "suspending" || !this.isQuiet) return;
    const before = state.status;
    state.status = before & ~DRIVER_OK;
    state.phase = "suspended";
    this.drained = this.parts.queues.drained();
    report.statusChange(before, state.status, "3.4.1", "suspended: DRIVER_OK is taken back");
  }

  /** A model that was restored while suspended is started, not resumed. */
  private startLate(): void {
    this.unstarted = false;
    this.parts.start();
    if (this.parts.state.phase === "resuming") this.resumed();
  }

  private resumed(): void {
    const { state, service, interrupts, config, report } = this.parts;
    const before = state.status;
    interrupts.hold();
    state.status = before & ~SUSPEND;
    state.phase = "live";
    config.thaw();
    report.statusChange(before, state.status, "3.4.1", "resumed: SUSPEND is taken back");
    interrupts.configEnabled = true; // §3.4.1: what changed meanwhile is told now
    service.markAll();
    interrupts.release();
  }
}
