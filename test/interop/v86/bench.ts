/**
 * `npm run bench:v86 [-- ROUNDS]`: the same guest work over v86's own rings and over ours, in one boot and in turns. Ratios
 * are of one run; the guest is Debian's kernel under emulation, so what it notices of all this is little.
 */
import { cpus } from "node:os";
import { V86_VERSION } from "../../../src/v86";
import { guestFiles } from "./packages";
import { type MeasuredWork, measureRings, type Sample } from "./rings-measured";

const HEAD = [
  "rings",
  "chains",
  "kicks",
  "interrupts",
  "ring ns",
  "all rounds",
  "v86's / this",
  "copy ns",
  "all ns",
];
/** Which of the rounds is shown: the lower quartile, since what disturbs only ever adds. */
const QUANTILE = 0.25;

const rounds = Number(process.argv[2] ?? 10);
const { works, floor } = await measureRings(guestFiles(), rounds);
console.log(`${cpus()[0]?.model}, Node ${process.version}, v86 ${V86_VERSION}; ${rounds} rounds in turns`);
console.log(
  `per chain; ns: lower quartile of the rounds; measuring costs ${floor.toFixed(0)} ns a call, taken off`,
);
for (const work of works) console.log(`\n${work.work}\n${table(work)}`);
process.exit();

function table({ rings }: MeasuredWork): string {
  const reference = quantile(rings[0]?.samples ?? [], "ring", QUANTILE);
  const lines = rings.map(({ name, samples }) => {
    const ring = (q: number) => quantile(samples, "ring", q);
    return [
      name,
      total(samples, "chains").toFixed(0),
      (total(samples, "kicks") / total(samples, "chains")).toFixed(3),
      (total(samples, "interrupts") / total(samples, "chains")).toFixed(3),
      ring(QUANTILE).toFixed(0),
      `${ring(0).toFixed(0)}–${ring(1).toFixed(0)}`,
      (reference / ring(QUANTILE)).toFixed(2),
      quantile(samples, "copy", QUANTILE).toFixed(0),
      quantile(samples, "all", QUANTILE).toFixed(0),
    ];
  });
  return [HEAD, HEAD.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function total(samples: readonly Sample[], what: "chains" | "kicks" | "interrupts"): number {
  return samples.reduce((sum, sample) => sum + sample[what], 0);
}

/** Of the rounds, per chain. */
function quantile(samples: readonly Sample[], what: "ring" | "copy" | "all", q: number): number {
  const sorted = samples.map((sample) => sample[what] / sample.chains).sort((a, b) => a - b);
  return sorted[Math.floor(q * (sorted.length - 1))] ?? Number.NaN;
}
