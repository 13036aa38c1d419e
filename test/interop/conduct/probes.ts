/** Every probe, in the order of the table. */
import type { ProbeGroup } from "./probe";
import { CONFIG_PROBES } from "./probes-config";
import { INDIRECT_PROBES } from "./probes-indirect";
import { NEGOTIATION_PROBES } from "./probes-negotiation";
import { QUEUE_PROBES } from "./probes-queues";
import { REGISTER_PROBES } from "./probes-registers";
import { REQUEST_PROBES } from "./probes-requests";
import { RING_PROBES } from "./probes-rings";
import { STATUS_PROBES } from "./probes-status";

export const PROBES: readonly ProbeGroup[] = [
  { title: "Registers", probes: REGISTER_PROBES },
  { title: "Status", probes: STATUS_PROBES },
  { title: "Feature negotiation", probes: NEGOTIATION_PROBES },
  { title: "Configuration", probes: CONFIG_PROBES },
  { title: "Queues", probes: QUEUE_PROBES },
  { title: "Chains", probes: RING_PROBES },
  { title: "Indirect tables", probes: INDIRECT_PROBES },
  { title: "Block requests", probes: REQUEST_PROBES },
];
