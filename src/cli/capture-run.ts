/** `virtq sim --pcap`: the files around the replays. What arrived in the first run is kept if all arrived whole. */
import { readCapture } from "../capture/capture";
import { CaptureError } from "../capture/capture-error";
import { pcapngFrame, pcapngHeader } from "../capture/pcapng-writer";
import { type ReplayCaptureOptions, replayCapture } from "../sim/capture";
import { surveyCapture } from "../sim/capture-survey";
import type { SimReport } from "../sim/metrics";
import { AppendFile, CaptureFile } from "./capture-file";
import { checkInput, checkOutput, ScratchFiles, systemReason, systemText } from "./files";
import type { Progress } from "./progress";
import { negotiations } from "./runs";
import type { SimArguments } from "./sim-arguments";
import { UsageError } from "./usage-error";

const BREATH_MS = 100;

/**
 * Sends the capture once for each negotiation.
 *
 * @throws UsageError for files that can't be read or written, and for a capture that can't be sent; nothing
 *   half-written stays
 */
export async function runCapture(
  given: SimArguments,
  path: string,
  progress: Progress,
): Promise<SimReport[]> {
  const size = checkInput(path, "capture");
  if (given.pcapOut !== undefined) checkOutput(given.pcapOut);
  const scratch = new ScratchFiles();
  const file = new CaptureFile(path, size);
  try {
    return await replayAll(given, file, scratch, progress);
  } catch (error) {
    if (error instanceof CaptureError) throw new UsageError(`the capture ${path}: ${error.message}`);
    throw (error as NodeJS.ErrnoException).syscall === undefined ? error : new UsageError(systemText(error));
  } finally {
    file.close();
    scratch.removeAll();
  }
}

async function replayAll(
  given: SimArguments,
  file: CaptureFile,
  scratch: ScratchFiles,
  progress: Progress,
): Promise<SimReport[]> {
  const capture = readCapture(file);
  const survey = await surveyCapture(capture, breath(progress, file.size));
  const reports: SimReport[] = [];
  const runs = negotiations(given);
  const kept = given.pcapOut === undefined ? undefined : scratch.name(given.pcapOut);
  for (const [i, negotiation] of runs.entries()) {
    const options: ReplayCaptureOptions = {
      ...negotiation,
      capture,
      survey,
      ...(given.batch === undefined ? {} : { batch: given.batch }),
      ...(given.seed === undefined ? {} : { seed: given.seed }),
      ...(given.flipByte === undefined ? {} : { flipByte: given.flipByte }),
      onProgress: (done, all) => progress.report(`replay ${i + 1} of ${runs.length}`, done, all),
    };
    const isKept = i === 0 && kept !== undefined;
    reports.push(isKept ? await recorded(options, openOutput(given, kept)) : await replayCapture(options));
  }
  const isFine = reports.every(({ outcome }) => outcome === "completed");
  if (isFine && kept !== undefined && given.pcapOut !== undefined) scratch.keep(kept, given.pcapOut);
  return reports;
}

function openOutput(given: SimArguments, path: string): AppendFile {
  try {
    return new AppendFile(path);
  } catch (error) {
    throw new UsageError(`can't write ${given.pcapOut}: ${systemReason(error)}`);
  }
}

/** A replay whose frames are written. */
async function recorded(options: ReplayCaptureOptions, output: AppendFile): Promise<SimReport> {
  try {
    output.write(pcapngHeader("virtq"));
    return await replayCapture({ ...options, onFrame: (frame) => output.write(pcapngFrame(frame)) });
  } finally {
    output.close();
  }
}

function breath(progress: Progress, size: number): (done: number) => Promise<void> | undefined {
  let last = performance.now();
  return (done) => {
    const now = performance.now();
    if (now - last < BREATH_MS) return undefined;
    last = now;
    progress.report("reading the capture", done, size);
    return new Promise((resolve) => setImmediate(resolve));
  };
}
