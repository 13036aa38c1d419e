/** `virtq sim --scenario` and `--list-scenarios`: plays scenes and tells what came of them. */
import { wrap } from "../report/wrap";
import { runScenario, SCENARIO_SCHEMA, SCENES, type ScenarioDocument } from "../sim/scenarios";
import type { SceneReport } from "../sim/scene";
import { transcriptTable } from "../trace/transcript-table";
import { colours } from "./colours";
import type { SimArguments } from "./sim-arguments";
import { terminalWidth } from "./terminal-width";

/** All scenes by name, a line each (more where the terminal is narrow). */
export function listScenarios(): string {
  const width = Math.max(...SCENES.map(({ name }) => name.length)) + 2;
  const lines = SCENES.map(({ name, summary }) =>
    wrap(`${colours.bold(name.padEnd(width))}${summary}`, terminalWidth(), " ".repeat(width)),
  );
  return lines.join("\n");
}

/**
 * Plays one scene, or all of them.
 *
 * @returns whether every expected ending came
 * @throws VirtioError UNKNOWN_NAME naming the nearest
 */
export async function runScenarios(name: string, given: SimArguments): Promise<boolean> {
  const reports: SceneReport[] = [];
  for (const scene of name === "all" ? SCENES : [name]) reports.push(await runScenario(scene));
  if (given.json) {
    const document: ScenarioDocument = { schema: SCENARIO_SCHEMA, scenarios: reports };
    process.stdout.write(`${JSON.stringify(document)}\n`);
  } else {
    const isShort = name === "all" && !given.transcript;
    const texts = reports.map((report) => (isShort ? endingLine(report) : explain(report, given)));
    process.stdout.write(`${texts.join(isShort ? "\n" : "\n\n")}\n`);
  }
  return reports.every(({ passed }) => passed);
}

/** A scene as it went: each device's transcript with its findings in place, what had to come, and the ending. */
function explain(report: SceneReport, { transcript: isWhole }: SimArguments): string {
  const width = terminalWidth();
  const parts = [wrap(`${colours.bold(report.scenario)}: ${report.summary}`, width, "  ")];
  for (const device of new Set(report.transcript.map((event) => event.device))) {
    const events = report.transcript.filter((event) => event.device === device);
    const findings = report.findings.filter((finding) => finding.device === device);
    const title = device === undefined ? "" : `${colours.bold(device)}\n`;
    const how = { width, short: !isWhole, times: isWhole, findings, paint: colours };
    parts.push(title + transcriptTable(events, how));
  }
  const checks = report.checks.map(({ what, expected, actual, isMet }) => {
    const text = isMet ? `${what}: ${actual}` : `${what}: ${actual}, and ${expected} had to come`;
    return wrap(`${isMet ? colours.green("✓") : colours.red("✗")} ${text}`, width, "  ");
  });
  parts.push([...checks, endingLine(report)].join("\n"));
  return parts.join("\n\n");
}

function endingLine({ scenario, ending, passed }: SceneReport): string {
  const verdict = passed ? colours.green("as expected") : colours.red("NOT as expected");
  return wrap(`${scenario}: ${verdict}: ${ending}`, terminalWidth(), "  ");
}
