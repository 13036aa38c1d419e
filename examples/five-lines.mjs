// A simulation in five lines. Run: npm run build && node examples/five-lines.mjs
import { formatTable, simulate } from "virtq";

const report = await simulate({
  offer: ["VERSION_1", "RING_PACKED", "EVENT_IDX"],
  accept: ["VERSION_1", "RING_PACKED"],
  workload: { chains: 100_000, batch: 32, readable: [16], writable: [512] },
});
console.log(report.layout);
console.log(formatTable(report));
