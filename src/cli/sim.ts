/** `virtq sim`: runs the negotiations, prints what came of them. */

import { findingLines } from "../report/finding-lines";
import { faultText, runTitle } from "../report/rows";
import { transcriptPath } from "../report/transcript-path";
import { wrap } from "../report/wrap";
import { SIM_SCHEMA, type SimDocument, type SimReport } from "../sim/metrics";
import { simulate } from "../sim/simulate";
import { transcriptTable } from "../trace/transcript-table";
import { runCapture } from "./capture-run";
import { colours } from "./colours";
import { runDisk } from "./disk-run";
import { Progress } from "./progress";
import { negotiations } from "./runs";
import { listScenarios, runScenarios } from "./scenario-run";
import type { SimArguments } from "./sim-arguments";
import { drawReasons, drawTable } from "./table";
import { terminalWidth } from "./terminal-width";

/**
 * Runs the command.
 *
 * @returns whether all runs ended as they should
 * @throws UsageError, VirtioError
 */
export async function runSim(given: SimArguments): Promise<boolean> {
  if (given.listScenarios) {
    process.stdout.write(`${listScenarios()}\n`);
    return true;
  }
  if (given.scenario !== undefined) return runScenarios(given.scenario, given);
  const progress = new Progress();
  let reports: readonly SimReport[];
  try {
    if (given.disk !== undefined) reports = await runDisk(given, given.disk, progress);
    else if (given.pcap !== undefined) reports = await runCapture(given, given.pcap, progress);
    else reports = await runEchos(given, progress);
  } finally {
    progress.clear();
  }
  if (given.json) {
    const document: SimDocument = { schema: SIM_SCHEMA, runs: reports };
    process.stdout.write(`${JSON.stringify(document)}\n`);
  } else process.stdout.write(`${explain(reports, given)}\n`);
  return reports.every(({ outcome }) => outcome === "completed");
}

async function runEchos(given: SimArguments, progress: Progress): Promise<SimReport[]> {
  const { batch, chains, readable, writable, seed } = given;
  const reports: SimReport[] = [];
  const runs = negotiations(given);
  for (const [i, negotiation] of runs.entries()) {
    const report = await simulate({
      ...negotiation,
      ...(seed === undefined ? {} : { seed }),
      workload: {
        ...(batch === undefined ? {} : { batch }),
        ...(chains === undefined ? {} : { chains }),
        ...(readable === undefined ? {} : { readable }),
        ...(writable === undefined ? {} : { writable }),
      },
      onProgress: (done, all) => progress.report(`run ${i + 1} of ${runs.length}`, done, all),
    });
    reports.push(report);
  }
  return reports;
}

/** Everything that a person is told: the comparison, the steps of the negotiations, and what went wrong. */
function explain(reports: readonly SimReport[], given: SimArguments): string {
  const width = terminalWidth();
  const isAnything = reports.some(({ outcome }) => outcome !== "refused");
  const parts = [isAnything ? drawTable(reports, width) : drawReasons(reports, width)];
  for (const report of reports) {
    for (const [text, devices] of negotiationTexts(report, given.transcript, width)) {
      const whose = devices === "" ? "" : `, ${devices} ${report.kind === "disk" ? "disk" : "device"}`;
      parts.push(`${colours.bold(`${runTitle(report)}${whose}: the negotiation`)}\n${text}`);
    }
  }
  for (const report of reports) {
    const text = faultText(report);
    if (text !== undefined) parts.push(colours.red(`${runTitle(report)}: ${text}`));
  }
  return parts.join("\n\n");
}

/** Each text once, with the devices that it is about. */
function negotiationTexts(report: SimReport, isWhole: boolean, width: number): Map<string, string> {
  const texts = new Map<string, string>();
  for (const device of new Set(report.transcript.map((event) => event.device ?? ""))) {
    const events = report.transcript.filter((event) => (event.device ?? "") === device);
    const isLong = isWhole || report.outcome === "refused";
    const findings = report.findings.filter((finding) => (finding.device ?? "") === device);
    const text = isLong
      ? transcriptTable(events, { width, short: !isWhole, times: isWhole, findings, paint: colours })
      : [wrap(transcriptPath(events), width), ...findingLines(findings, width)].join("\n");
    const others = texts.get(text);
    texts.set(text, others === undefined ? device : `${others} and ${device}`);
  }
  return texts;
}
