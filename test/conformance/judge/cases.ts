/**
 * For every judged clause what breaks it, and what comes as near to that as may be without breaking anything.
 * `also` are the clauses that the same deed breaks.
 */
import type { ClauseId } from "../../../src/conformance/clauses";
import type { JudgeContext } from "../../../src/conformance/context";
import { FeatureSet } from "../../../src/negotiation/feature-set";
import {
  accepts,
  acceptsAll,
  enables,
  exposed,
  features,
  findsQueue,
  generation,
  type Happening,
  notice,
  notifies,
  offers,
  offersAll,
  reads,
  ready,
  resetsQueue,
  set,
  shows,
  stops,
  writes,
} from "./accesses";

/** A breach and its near miss. */
export interface Case {
  readonly clause: ClauseId;
  /** What is done, for the test's name. */
  readonly name: string;
  readonly context?: JudgeContext;
  readonly side?: "driver" | "device";
  readonly also?: readonly ClauseId[];
  readonly breach: readonly Happening[];
  readonly conforms: readonly Happening[];
}

type Parts = readonly (Happening | readonly Happening[])[];
const all = (...parts: Parts): Happening[] => parts.flat();

const reset = [set(0), shows(0)];
const toDriver = [...reset, set(1), set(3)];
/** Both sides know VERSION_1 alone. */
const modern = features("VERSION_1");
const suspendable = features("VERSION_1", "SUSPEND");
const accepted = (wanted: FeatureSet, offered = wanted) =>
  all(toDriver, offersAll(offered), acceptsAll(wanted));
const setUp = (wanted: FeatureSet, offered = wanted) => all(accepted(wanted, offered), set(0xb), shows(0xb));
const live = (wanted: FeatureSet, offered = wanted) =>
  all(setUp(wanted, offered), findsQueue(), enables(), ready(), set(0xf));
const suspending = all(live(suspendable), shows(0xf), set(0x1f));
const suspended = all(suspending, shows(0x1f), shows(0x1b));
const resuming = all(suspended, set(0x1f));

const net: JudgeContext = { deviceType: "net", transport: "pci" };
const blk: JudgeContext = { deviceType: "blk", transport: "mmio" };
const balloon: JudgeContext = { deviceType: "balloon", transport: "loopback" };
const console: JudgeContext = { deviceType: "console" };
const WIDE: JudgeContext = {
  configLayout: [{ name: "limit", offset: 0, bytes: 8, anyOf: ["bit 0"], writable: false }],
};
const legacy: JudgeContext = { deviceType: "blk", legacy: true };
const netSet = (...names: string[]) => FeatureSet.from(["VERSION_1", ...names], "net");
const mtu = reads(10, 2, 1500);
const capacity = (value = 0x100) => [reads(0, 4, value), reads(4, 4, 0)];

/** A row that breaks a rule about acceptance: what is offered, what is accepted, and what would be right. */
function acceptance(
  clause: ClauseId,
  name: string,
  offered: FeatureSet,
  wrong: FeatureSet,
  right: FeatureSet,
  more: Partial<Case> = {},
): Case {
  return {
    clause,
    name,
    breach: accepted(wrong, offered).concat(set(0xb)),
    conforms: setUp(right, offered),
    ...more,
  };
}

/** A row that breaks a rule about the offer. */
function offer(
  clause: ClauseId,
  name: string,
  wrong: FeatureSet,
  right: FeatureSet,
  more: Partial<Case> = {},
): Case {
  const answer = features("VERSION_1");
  return {
    clause,
    name,
    side: "device",
    breach: all(toDriver, offersAll(wrong), acceptsAll(answer.intersect(wrong))),
    conforms: setUp(answer.intersect(right), right),
    ...more,
  };
}

export const CASES: readonly Case[] = [
  {
    clause: "STATUS-001",
    name: "sets a bit that is the device's",
    breach: all(shows(0x1b), toDriver, set(0x43)),
    conforms: all(toDriver, shows(0x43), set(0xc3)),
  },
  {
    clause: "STATUS-001",
    name: "sets the bit without a meaning",
    breach: all(toDriver, set(0x23)),
    conforms: all(toDriver, set(0x83)),
  },
  {
    clause: "STATUS-002",
    name: "writes a byte that lacks a bit it read",
    breach: all(reset, set(1), shows(1), set(2)),
    conforms: all(reset, set(1), shows(1), set(3)),
  },
  {
    clause: "STATUS-002",
    name: "writes a byte that lacks a bit it wrote; FEATURES_OK was the device's to refuse",
    breach: all(accepted(modern), set(0xb), shows(0xb), set(0x83)),
    conforms: all(accepted(modern), set(0xb), shows(3), set(0x83), set(0)),
  },
  {
    clause: "STATUS-002",
    name: "drops a bit and sets it again",
    breach: all(toDriver, set(2), set(3), acceptsAll(modern), set(0xb), shows(0xb), set(0xf)),
    conforms: all(toDriver, set(3), set(3), acceptsAll(modern), set(0xb), shows(0xb), set(0xf)),
  },
  {
    clause: "STATUS-002",
    name: "resumes by clearing SUSPEND; DRIVER_OK is cleared by the device",
    breach: all(suspended, set(0xf)),
    conforms: all(suspended, set(0x1f), shows(0x1f), shows(0xf), notifies()),
  },
  {
    clause: "STATUS-003",
    name: "initialises again after FAILED",
    breach: all(toDriver, set(0x83), set(0x8b)),
    conforms: all(toDriver, set(0x83), set(0x83), toDriver),
  },
  {
    clause: "STATUS-003",
    name: "clears FAILED",
    also: ["STATUS-002"],
    breach: all(toDriver, set(0x83), set(1), set(3)),
    conforms: all(toDriver, set(0x83), shows(0x83), toDriver),
  },
  {
    clause: "STATUS-005",
    name: "notifies of a queue before DRIVER_OK",
    side: "device",
    breach: all(setUp(modern), notice("used")),
    conforms: all(setUp(modern), notice("config"), set(0xf), notice("used")),
  },
  {
    clause: "STATUS-007",
    name: "breaks down in silence",
    side: "device",
    also: ["OPERATION-002"],
    breach: all(live(modern), shows(0xf), shows(0x4f), shows(0x4f), shows(0x4f)),
    conforms: all(live(modern), shows(0xf), shows(0x4f), notice("config"), shows(0x4f), reset),
  },
  {
    clause: "OPERATION-002",
    name: "needs a reset and says so to nobody; before DRIVER_OK nobody is told",
    side: "device",
    also: ["STATUS-007"],
    breach: all(live(modern), shows(0xf), notice("used"), shows(0x4f), shows(0x4f)),
    conforms: all(setUp(modern), shows(0x4b), shows(0x4b), set(0xcb)),
  },
  {
    clause: "STATUS-009",
    name: "sets SUSPEND, which was not negotiated",
    also: ["SUSPEND-001"],
    breach: all(live(modern), shows(0xf), set(0x1f)),
    conforms: all(suspended, set(0)),
  },
  {
    clause: "STATUS-009",
    name: "shows SUSPEND, which was not negotiated",
    side: "device",
    breach: all(live(modern), shows(0xf), shows(0x1f)),
    conforms: all(suspending, shows(0x1f)),
  },
  acceptance("FEATURES-001", "accepts a bit that was not offered", modern, features("VERSION_1", 29), modern),
  acceptance(
    "FEATURES-001",
    "accepts a bit that the context says is not offered; unread words are not judged",
    modern,
    features("VERSION_1", "IN_ORDER"),
    modern,
    { context: { offered: modern }, conforms: all(toDriver, acceptsAll(modern), set(0xb)) },
  ),
  acceptance(
    "FEATURES-002",
    "accepts MQ without CTRL_VQ",
    netSet("MQ", "CTRL_VQ"),
    netSet("MQ"),
    netSet("CTRL_VQ"),
    { context: net },
  ),
  acceptance(
    "FEATURES-005",
    "accepts an undocumented bit that is offered",
    features("VERSION_1", 44),
    features("VERSION_1", 44),
    modern,
    { also: ["FEATURES-012"], conforms: setUp(modern, features("VERSION_1", 27)) },
  ),
  acceptance(
    "FEATURES-005",
    "accepts a bit of the legacy interface",
    features("VERSION_1", "ANY_LAYOUT"),
    features("VERSION_1", "ANY_LAYOUT"),
    modern,
  ),
  offer("FEATURES-009", "offers MQ without CTRL_VQ", netSet("MQ"), netSet("MQ", "CTRL_VQ"), { context: net }),
  offer(
    "FEATURES-009",
    "offers CONFIG_WCE without FLUSH",
    FeatureSet.from(["VERSION_1", "CONFIG_WCE"], "blk"),
    FeatureSet.from(["VERSION_1", "FLUSH"], "blk"),
    { context: blk },
  ),
  {
    clause: "FEATURES-011",
    name: "agrees to a bit that it did not offer",
    side: "device",
    also: ["SEED241-002", "FEATURES-001"],
    breach: all(accepted(features("VERSION_1", 29), modern), set(0xb), shows(0xb)),
    conforms: setUp(modern, features("VERSION_1", 29)),
  },
  offer(
    "FEATURES-012",
    "offers a reserved bit",
    features("VERSION_1", 45),
    features("VERSION_1", 24, 27, 30),
  ),
  offer("FEATURES-012", "offers a bit that the type does not know", netSet("bit 4"), netSet("GSO"), {
    context: net,
  }),
  {
    clause: "FEATURES-012",
    name: "offers bits beyond the second word",
    side: "device",
    context: net,
    breach: all(
      toDriver,
      [1, 5, 0x80000000, 0].map((word, i) => offers(i, word)),
      accepts(1, 1),
    ),
    conforms: all(
      toDriver,
      [0, 5, 0, 0].map((word, i) => offers(i, word)),
      accepts(1, 5),
      set(0xb),
    ),
  },
  {
    clause: "FEATURES-012",
    name: "shows word 1 again as words 2 and 3, which is no offer of the bits in it",
    side: "device",
    context: net,
    breach: all(
      toDriver,
      [0, 5, 5, 5].map((word, i) => offers(i, word)),
      accepts(1, 5),
      set(0xb),
    ),
    conforms: all(
      toDriver,
      [0, 5].map((word, i) => offers(i, word)),
      accepts(1, 5),
      set(0xb),
    ),
  },
  {
    clause: "FEATURES-013",
    name: "refuses the set that it agreed to before",
    side: "device",
    breach: all(setUp(modern), accepted(modern), set(0xb), shows(3)),
    conforms: all(
      setUp(modern, suspendable),
      accepted(suspendable),
      set(0xb),
      shows(3),
      set(0),
      shows(0),
      setUp(modern, suspendable),
    ),
  },
  {
    clause: "SEED241-002",
    name: "completes the negotiation of a set that lacks a prerequisite",
    side: "device",
    context: net,
    also: ["FEATURES-011", "FEATURES-002"],
    breach: all(accepted(netSet("MQ"), netSet("MQ", "CTRL_VQ")), set(0xb), shows(0xb)),
    conforms: all(accepted(netSet("CTRL_VQ"), netSet("MQ", "CTRL_VQ")), set(0xb), shows(3), set(0x83)),
  },
  {
    clause: "SEED241-004",
    name: "leaves a bit out after the negotiation",
    breach: all(setUp(features("VERSION_1", 29)), accepts(0, 0)),
    conforms: all(setUp(features("VERSION_1", 29)), accepts(0, 1 << 29), accepts(1, 1), accepts(2, 0)),
  },
  {
    clause: "SEED241-005",
    name: "resets a queue before anything is negotiated",
    also: ["INIT-009"],
    breach: all(accepted(features("VERSION_1", "RING_RESET")), resetsQueue()),
    conforms: all(live(features("VERSION_1", "RING_RESET")), resetsQueue(), enables()),
  },
  {
    clause: "SEED241-007",
    name: "reads a field of a feature that it did not negotiate",
    context: net,
    breach: all(setUp(netSet(), netSet("MTU")), mtu),
    conforms: all(setUp(netSet("MTU")), mtu),
  },
  {
    clause: "SEED241-007",
    name: "reads a field before it has written any feature",
    context: net,
    breach: all(reset, set(1), offersAll(netSet("MTU")), mtu),
    conforms: all(reset, set(1), offersAll(netSet("MTU")), reads(0, 2), accepted(netSet("MTU")), mtu),
  },
  {
    clause: "SEED241-007",
    name: "reads a wide field of a feature that it did not negotiate: one deed, two accesses",
    context: WIDE,
    breach: all(
      setUp(modern, features("VERSION_1", 0)),
      generation(1),
      reads(0, 4),
      reads(4, 4),
      generation(1),
    ),
    conforms: all(setUp(features("VERSION_1", 0)), generation(1), reads(0, 4), reads(4, 4), generation(1)),
  },
  {
    clause: "SEED241-007",
    name: "reads the same field again, which is another deed",
    context: WIDE,
    also: ["SEED241-007"],
    breach: all(setUp(modern, features("VERSION_1", 0)), reads(0, 4), reads(0, 4)),
    conforms: all(setUp(modern), reads(8, 4), reads(8, 4)),
  },
  {
    clause: "SEED241-010",
    name: "looks first and accepts then",
    context: net,
    also: ["SEED241-007"],
    breach: all(toDriver, offersAll(netSet("MTU")), mtu, acceptsAll(netSet("MTU"))),
    conforms: all(toDriver, offersAll(netSet("MTU")), acceptsAll(netSet("MTU")), mtu, acceptsAll(netSet())),
  },
  {
    clause: "SEED241-010",
    name: "reads a field again that it has just dropped; a field of two features needs one",
    context: net,
    also: ["SEED241-007"],
    breach: all(accepted(netSet("MTU")), mtu, acceptsAll(netSet()), mtu),
    conforms: all(accepted(netSet("RSS", "CTRL_VQ")), reads(8, 2, 4)),
  },
  {
    clause: "SEED241-009",
    name: "writes a field before FEATURES_OK",
    context: balloon,
    also: ["INIT-003"],
    breach: all(accepted(modern), writes(4, 4, 7)),
    conforms: all(setUp(modern), writes(4, 4, 7)),
  },
  {
    clause: "SEED241-012",
    name: "answers otherwise once the feature is accepted",
    side: "device",
    context: net,
    also: ["SEED241-007", "SEED241-010"],
    breach: all(
      toDriver,
      offersAll(netSet("MTU")),
      generation(3),
      reads(10, 2, 0xdc05),
      acceptsAll(netSet("MTU")),
      reads(10, 2, 0x05dc),
      generation(3),
    ),
    conforms: all(
      toDriver,
      offersAll(netSet("MTU")),
      acceptsAll(netSet("MTU")),
      generation(3),
      reads(10, 2, 0xdc05),
      reads(10, 2, 0x05dc),
      generation(4),
    ),
  },
  {
    clause: "CONFIG-001",
    name: "goes on with a torn read",
    context: blk,
    breach: all(accepted(modern), generation(1), capacity(), generation(2), set(0xb)),
    conforms: all(
      accepted(modern),
      generation(1),
      capacity(),
      generation(2),
      capacity(0x200),
      generation(2),
      set(0xb),
      shows(0xb),
      generation(2),
      capacity(0x300),
      generation(3),
      set(0x8b),
    ),
  },
  {
    clause: "CONFIG-002",
    name: "reads a wide field without the generation",
    context: blk,
    breach: all(setUp(modern), capacity(), findsQueue()),
    conforms: all(setUp(modern), generation(1), capacity(), generation(1), reads(0, 4), findsQueue()),
  },
  {
    clause: "CONFIG-002",
    name: "reads a wide field with the generation on one side only",
    context: net,
    breach: all(setUp(netSet()), generation(1), reads(0, 4), reads(4, 2)),
    conforms: all(setUp(netSet()), generation(1), reads(0, 4), reads(4, 2), shows(0xb), generation(1)),
  },
  {
    clause: "CONFIG-003",
    name: "reads a field that does not exist",
    context: net,
    breach: all(setUp(netSet()), mtu),
    conforms: all(setUp(netSet()), reads(0, 1), reads(5, 1)),
  },
  {
    clause: "CONFIG-003",
    name: "reads beyond its field; nothing is said about words that were not read",
    context: net,
    breach: all(setUp(netSet("STATUS")), reads(6, 4)),
    conforms: all(toDriver, offers(1, 1), acceptsAll(modern), set(0xb), shows(0xb), reads(6, 4)).filter(
      ({ access }) => access?.register !== "config",
    ),
  },
  {
    clause: "CONFIG-006",
    name: "answers otherwise after FEATURES_OK",
    side: "device",
    context: net,
    breach: all(
      accepted(netSet("MTU")),
      generation(0),
      reads(10, 2, 0xffff),
      set(0xb),
      shows(0xb),
      mtu,
      generation(0),
    ),
    conforms: all(accepted(netSet("MTU")), generation(0), mtu, set(0xb), shows(0xb), mtu, generation(0)),
  },
  {
    clause: "CONFIG-008",
    name: "changes a value and not the generation",
    side: "device",
    context: blk,
    breach: all(live(modern), generation(5), reads(0, 4, 1), reads(0, 4, 2), generation(5)),
    conforms: all(live(modern), reads(0, 4, 0), generation(5), reads(0, 4, 1), reads(0, 4, 2), generation(6)),
  },
  {
    clause: "CONFIG-009",
    name: "reads the capacity once",
    context: legacy,
    breach: all(reset, set(1), set(3), capacity(), notifies()),
    conforms: all(reset, set(1), set(3), capacity(1), capacity(), capacity(), notifies()),
  },
  {
    clause: "INIT-001",
    name: "starts without a reset",
    breach: all(shows(0), offersAll(modern), set(1), set(3), acceptsAll(modern), set(0xb), shows(0xb)),
    conforms: all(shows(7), offersAll(modern), setUp(modern)),
  },
  {
    clause: "INIT-001",
    name: "sets two bits at once",
    breach: all(reset, set(3), acceptsAll(modern)),
    conforms: all(reset, set(1), set(3), acceptsAll(modern)),
  },
  {
    clause: "INIT-001",
    name: "sets DRIVER_OK without FEATURES_OK",
    breach: all(accepted(modern), set(7), notifies()),
    conforms: all(setUp(modern), set(0xf), notifies()),
  },
  {
    clause: "INIT-001",
    name: "accepts features before DRIVER",
    breach: all(reset, set(1), acceptsAll(modern, [1]), set(3)),
    conforms: all(reset, offersAll(modern), set(1), offersAll(modern), set(3), acceptsAll(modern)),
  },
  {
    clause: "INIT-001",
    name: "sets a queue up on a running device; a stopped one may be set up again",
    breach: all(live(modern), enables(1)),
    conforms: all(live(modern), stops(), enables()),
  },
  {
    clause: "INIT-003",
    name: "writes a field while negotiating; emerg_wr may be",
    context: console,
    also: ["SEED241-009"],
    breach: all(toDriver, writes(0, 2, 80)),
    conforms: all(toDriver, writes(8, 4, 0x41), set(0x83)),
  },
  {
    clause: "INIT-004",
    name: "accepts another bit after FEATURES_OK",
    also: ["SEED241-004"],
    breach: all(setUp(modern, features("VERSION_1", 29)), accepts(0, 1 << 29)),
    conforms: all(
      accepted(modern, features("VERSION_1", 29)),
      accepts(0, 1 << 29),
      set(0xb),
      accepts(0, 1 << 29),
    ),
  },
  {
    clause: "INIT-005",
    name: "does not read FEATURES_OK back",
    breach: all(accepted(modern), set(0xb), set(0xf), notifies()),
    conforms: all(accepted(modern), set(0xb), set(0xb), shows(0xb), set(0xf), notifies()),
  },
  {
    clause: "INIT-005",
    name: "looks for queues before it reads FEATURES_OK back",
    breach: all(accepted(modern), set(0xb), findsQueue(), enables(), set(0xf)),
    conforms: all(accepted(modern), set(0xb), shows(0xb), findsQueue(), enables(), set(0xf)),
  },
  {
    clause: "INIT-005",
    name: "tries FEATURES_OK again after a refusal and without a reset",
    breach: all(accepted(features("VERSION_1", 29)), set(0xb), shows(3), accepts(0, 0), set(0xb), shows(0xb)),
    conforms: all(
      accepted(features("VERSION_1", 29)),
      set(0xb),
      shows(3),
      setUp(modern, features("VERSION_1", 29)),
    ),
  },
  {
    clause: "INIT-007",
    name: "sets a queue up after a refusal",
    also: ["INIT-005"],
    breach: all(accepted(modern), set(0xb), shows(3), enables(), set(0xf), notifies()),
    conforms: all(accepted(modern), set(0xb), shows(3), set(0x83), shows(0x83), set(0)),
  },
  {
    clause: "INIT-007",
    name: "sets DRIVER_OK on a device that needs a reset",
    breach: all(setUp(modern), shows(0x4b), set(0x4f)),
    conforms: all(live(modern), shows(0x4f), notifies()),
  },
  {
    clause: "INIT-007",
    name: "sets DRIVER_OK after a refusal",
    also: ["INIT-005"],
    breach: all(accepted(modern), set(0xb), shows(3), set(7), notifies()),
    conforms: all(accepted(modern), set(0xb), shows(3), offersAll(modern), reads(0, 4), set(0)),
  },
  {
    clause: "INIT-008",
    name: "notifies before DRIVER_OK",
    breach: all(setUp(modern), enables(), notifies()),
    conforms: all(setUp(modern), enables(), set(0xf), notifies()),
  },
  {
    clause: "INIT-009",
    name: "looks for queues while it negotiates",
    breach: all(accepted(modern), findsQueue()),
    conforms: all(setUp(modern), findsQueue()),
  },
  {
    clause: "INIT-009",
    name: "sets a queue up while it negotiates; stopping one is free",
    also: ["SEED241-005"],
    breach: all(accepted(modern), enables()),
    conforms: all(reset, stops(), ready(0, 0), setUp(modern)),
  },
  {
    clause: "INIT-009",
    name: "writes a field before DRIVER",
    context: balloon,
    also: ["SEED241-009"],
    breach: all(reset, set(1), writes(4, 4, 7)),
    conforms: all(
      setUp(features("VERSION_1", 4)),
      writes(12, 4, 0xaa),
      writes(4, 4, 7),
      set(0xf),
      writes(4, 4, 8),
    ),
  },
  {
    clause: "INIT-010",
    name: "writes FEATURES_OK on the legacy interface",
    context: legacy,
    breach: all(toDriver, accepts(0, 0), set(0xb), shows(0xb)),
    conforms: all(toDriver, writes(32, 1, 1), accepts(0, 0), enables(), notifies(), set(7)),
  },
  {
    clause: "RESET-001",
    name: "shows a bit that nobody wrote after a reset",
    side: "device",
    breach: all(reset, shows(0xf), shows(0xf)),
    conforms: all(set(0), shows(0xf), shows(0xf), shows(0), shows(0)),
  },
  {
    clause: "RESET-001",
    name: "never finishes a reset",
    side: "device",
    breach: all(set(0), new Array<Happening>(1200).fill(shows(0xf))),
    conforms: all(set(0), new Array<Happening>(900).fill(shows(0xf)), shows(0)),
  },
  {
    clause: "RESET-002",
    name: "notifies after a reset",
    side: "device",
    breach: all(live(modern), reset, notice("used")),
    conforms: all(live(modern), set(0), notice("used"), shows(0)),
  },
  {
    clause: "RESET-003",
    name: "goes on without waiting for the reset",
    breach: all(set(0), set(1), set(3), acceptsAll(modern)),
    conforms: all(set(0), shows(1), set(0), shows(0), set(1), set(3)),
  },
  {
    clause: "RESET-003",
    name: "looks at the features before the reset is over",
    breach: all(set(0), offersAll(modern), set(1), set(3)),
    conforms: all(set(0), notice("config"), shows(0), offersAll(modern), set(1), set(3)),
  },
  {
    clause: "SUSPEND-001",
    name: "sets SUSPEND without DRIVER_OK",
    breach: all(setUp(suspendable), set(0x1b)),
    conforms: all(suspending),
  },
  {
    clause: "SUSPEND-002",
    name: "resumes before the device was seen suspended",
    breach: all(suspending, shows(0x1f), set(0x1f)),
    conforms: all(suspended, reads(0, 1), set(0x1f)),
  },
  {
    clause: "SUSPEND-003",
    name: "makes buffers available to a suspended device",
    breach: all(resuming, exposed(), shows(0xf)),
    conforms: all(resuming, shows(0xf), notifies()),
  },
  {
    clause: "SUSPEND-004",
    name: "notifies a suspended device",
    breach: all(suspended, notifies()),
    conforms: all(resuming, shows(0xf), notifies()),
  },
  {
    clause: "SUSPEND-004",
    name: "notifies a device that suspends",
    breach: all(suspending, notifies()),
    conforms: all(live(suspendable), notifies(), set(0x1f)),
  },
  {
    clause: "SUSPEND-005",
    name: "writes a field of a suspended device",
    context: balloon,
    breach: all(suspended, writes(4, 4, 7)),
    conforms: all(resuming, shows(0xf), writes(4, 4, 7)),
  },
  {
    clause: "SUSPEND-005",
    name: "stops a queue of a suspended device",
    breach: all(suspended, stops()),
    conforms: all(suspended, ready(), reset, stops()),
  },
  {
    clause: "SUSPEND-006",
    name: "notifies before the device was seen resumed; 31 is two states",
    breach: all(resuming, shows(0x1f), notifies()),
    conforms: all(resuming, shows(0x1f), shows(0x1b), shows(0xf), notifies()),
  },
  {
    clause: "SUSPEND-006",
    name: "suspends again before the device was seen resumed",
    breach: all(resuming, set(0x1f)),
    conforms: all(resuming, shows(0xf), set(0x1f), shows(0xf), shows(0x1b)),
  },
  {
    clause: "SUSPEND-007",
    name: "takes SUSPEND before DRIVER_OK",
    side: "device",
    also: ["SUSPEND-001"],
    breach: all(setUp(suspendable), set(0x1b), shows(0x1b)),
    conforms: all(suspended),
  },
  {
    clause: "SUSPEND-008",
    name: "takes a configuration write while suspended",
    side: "device",
    context: balloon,
    also: ["SUSPEND-005"],
    breach: all(suspended, reads(4, 4, 1), writes(4, 4, 7), reads(4, 4, 7)),
    conforms: all(suspended, reads(4, 4, 1), reads(4, 4, 1)),
  },
  {
    clause: "SUSPEND-009",
    name: "notifies of a queue while suspended",
    side: "device",
    breach: all(suspended, notice("used")),
    conforms: all(suspending, notice("used"), shows(0x1b)),
  },
  {
    clause: "SUSPEND-009",
    name: "changes a field while suspended",
    side: "device",
    context: balloon,
    breach: all(suspended, reads(0, 4, 1), reads(0, 4, 2)),
    conforms: all(suspended, reads(0, 4, 1), set(0x1f), shows(0xf), notice("config"), reads(0, 4, 2)),
  },
  {
    clause: "SUSPEND-010",
    name: "notifies of its configuration while suspended",
    side: "device",
    breach: all(suspended, notice("config")),
    conforms: all(resuming, notice("config")),
  },
  {
    clause: "SUSPEND-012",
    name: "drops DRIVER_OK and does not suspend",
    side: "device",
    breach: all(suspending, shows(0xb)),
    conforms: all(suspending, shows(0xf), shows(0x5f)),
  },
  {
    clause: "SUSPEND-013",
    name: "drops SUSPEND and does not run",
    side: "device",
    breach: all(resuming, shows(0xb)),
    conforms: all(resuming, shows(0x1b), shows(0x5b), reset),
  },
  {
    clause: "SUSPEND-015",
    name: "resumes by itself",
    side: "device",
    breach: all(suspended, shows(0xf)),
    conforms: all(suspended, shows(0x1b), shows(0x5b)),
  },
  ...(
    [
      ["RESERVED-001", "VERSION_1", undefined],
      ["RESERVED-003", "ACCESS_PLATFORM", undefined],
      ["RESERVED-006", "RING_PACKED", undefined],
      ["RESERVED-007", "ORDER_PLATFORM", undefined],
      ["RESERVED-013", "NOTIF_CONFIG_DATA", "pci"],
    ] as const
  ).map(([clause, name, transport]) => {
    const offered = features("VERSION_1", name);
    const context = transport === undefined ? {} : { context: { transport } };
    return acceptance(clause, `leaves ${name} out`, offered, offered.without(name), offered, context);
  }),
  acceptance(
    "RESERVED-010",
    "accepts SR_IOV off PCI",
    features("VERSION_1", "SR_IOV"),
    features("VERSION_1", "SR_IOV"),
    modern,
    {
      context: { transport: "mmio" },
      also: ["FEATURES-005", "FEATURES-012", "RESERVED-023"],
      conforms: setUp(modern),
    },
  ),
  offer("RESERVED-014", "does not offer VERSION_1", features(29), modern),
  offer("RESERVED-023", "offers SR_IOV off PCI", features("VERSION_1", "SR_IOV"), modern, {
    context: { transport: "mmio" },
    also: ["FEATURES-012"],
  }),
  offer("RESERVED-024", "offers ADMIN_VQ off PCI", features("VERSION_1", "ADMIN_VQ"), modern, {
    context: { transport: "loopback" },
    also: ["FEATURES-012"],
  }),
  acceptance("RESERVED-024", "accepts ADMIN_VQ off PCI", modern, features("VERSION_1", "ADMIN_VQ"), modern, {
    context: { transport: "ccw" },
    also: ["FEATURES-001", "FEATURES-005"],
  }),
  {
    clause: "RESERVED-029",
    name: "is transitional and offers neither ANY_LAYOUT nor bit 30",
    side: "device",
    context: legacy,
    breach: all(toDriver, offersAll(modern), accepts(0, 0)),
    conforms: all(toDriver, offersAll(features("VERSION_1", 27, 30)), accepts(0, 0)),
  },
  acceptance("RESERVED-031", "accepts bit 30", features("VERSION_1", 30), features("VERSION_1", 30), modern, {
    conforms: setUp(modern, features("VERSION_1", 30)),
  }),
];
