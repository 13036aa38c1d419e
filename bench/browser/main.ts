/** The page: which suites, how many fresh workers, the tables, and the document that `virtq bench --json` prints too. */
import { BENCH_SCHEMA, type BenchDocument } from "../result";
import { SUITES } from "../suites";
import { sweep } from "../sweep";
import { environment } from "./environment";
import { runJob } from "./run-job";
import { element, environmentText, tables } from "./table";

/** What vite.config.ts knows of the package. */
declare const VIRTQ_VERSION: string;
declare const VIRTQ_COMMIT: string | null;

const byId = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const form = byId<HTMLFormElement>("choice");
const run = byId<HTMLButtonElement>("run");
const workers = byId<HTMLInputElement>("workers");
const status = byId("status");
const progress = byId<HTMLProgressElement>("progress");
const CHECKED = ["throughput"];

for (const { name, about } of SUITES) {
  const box = element("input", { type: "checkbox", name: "suite", value: name });
  (box as HTMLInputElement).checked = CHECKED.includes(name);
  byId("suites").append(element("label", {}, box, element("b", {}, name), element("span", {}, about)));
}
byId("isolation").textContent = crossOriginIsolated
  ? "The page is cross-origin isolated: a fine clock, and memory that workers can share."
  : "The page is not cross-origin isolated: a coarse clock, so samples are longer, and no shared memory.";

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const chosen = new FormData(form).getAll("suite");
  void measure(SUITES.filter(({ name }) => chosen.includes(name)));
});

async function measure(suites: typeof SUITES): Promise<void> {
  const from = performance.now();
  show("running", "Measuring…");
  try {
    const where = await environment(VIRTQ_VERSION, VIRTQ_COMMIT);
    byId("environment").textContent = environmentText(where);
    const rows = await sweep(suites, {
      processes: workers.valueAsNumber,
      run: runJob,
      onProgress(suite, done, all) {
        const left = Math.ceil((((performance.now() - from) / done) * (all - done)) / 1000);
        progress.value = done / all;
        status.textContent = `${suite}: about ${left} s left`;
      },
    });
    const result: BenchDocument = { schema: BENCH_SCHEMA, environment: where, rows };
    byId("tables").replaceChildren(...tables(rows));
    offer(JSON.stringify(result));
    const wrong = rows.some((row) => row.status === "wrong");
    show(wrong ? "wrong" : "done", wrong ? "A ring did something else than it was asked." : "Done.");
  } catch (error) {
    show("failed", error instanceof Error ? error.message : String(error));
  }
}

function show(state: "running" | "done" | "wrong" | "failed", text: string): void {
  status.dataset.state = state;
  status.textContent = text;
  run.disabled = state === "running";
  progress.hidden = state !== "running";
  byId("results").hidden = state !== "done" && state !== "wrong";
}

/** The document as text, and to take along. */
function offer(json: string): void {
  byId("json").textContent = json;
  const link = byId<HTMLAnchorElement>("download");
  URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([json], { type: "application/json" }));
}
