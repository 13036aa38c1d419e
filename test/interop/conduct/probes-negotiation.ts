/** Probes of feature negotiation (§2.2, §3.1.1, and the patch for issue 241): which set is taken, and when it is final. */
import { ours, type Probe, qemus, strictOnly } from "./probe";

const SPLIT = ["VERSION_1"];
const PACKED = ["VERSION_1", "RING_PACKED"];
/** Reserved for later (§2.2): nobody offers it. */
const RESERVED_BIT = 44;

export const NEGOTIATION_PROBES: readonly Probe[] = [
  {
    does: "accepts a set that is offered",
    rule: "FEATURES-010 §2.2.2",
    device: "console",
    run: (driver) => `${driver.to(0x0b, PACKED).verdict}, ${driver.ringInForce()}`,
  },
  {
    does: "accepts bit 44, which is not offered",
    rule: "FEATURES-001 §2.2.1",
    device: "console",
    differs: strictOnly(ours("the set is refused; QEMU drops the bit in silence")),
    run: (driver) => driver.to(0x0b, [...SPLIT, RESERVED_BIT]).verdict,
  },
  {
    does: "accepts no VERSION_1, and uses a queue",
    rule: "RESERVED-001 §6.1",
    device: "console",
    differs: strictOnly(
      ours("a device may refuse (RESERVED-015 §6.2), and ours knows no legacy drivers in this profile"),
    ),
    run: (driver) => {
      const { verdict } = driver.to(0x0b, []);
      return verdict === "refused" ? verdict : `${verdict}, ${driver.ringInForce()}`;
    },
  },
  {
    does: "accepts RING_PACKED without VERSION_1",
    rule: "RESERVED-001 §6.1",
    device: "console",
    differs: strictOnly(ours("the set is refused; QEMU judges none without VERSION_1")),
    run: (driver) => {
      const { verdict } = driver.to(0x0b, ["RING_PACKED"]);
      return verdict === "refused" ? verdict : `${verdict}, ${driver.ringInForce()}`;
    },
  },
  {
    does: "accepts no ACCESS_PLATFORM where it is offered",
    rule: "RESERVED-017 §6.2",
    device: "blk behind an IOMMU",
    differs: strictOnly(qemus("a device may refuse; ours reaches memory in the same way with and without")),
    run: (driver) => driver.to(0x0b).verdict,
  },
  {
    does: "tries again with ACCESS_PLATFORM, without a reset",
    rule: "SEED241-002 §2.2",
    device: "blk behind an IOMMU",
    run: (driver) =>
      driver
        .to(0x0b)
        .accept([...SPLIT, "ACCESS_PLATFORM"])
        .status(0x0b).verdict,
  },
  {
    does: "tries again without an unoffered bit, without a reset",
    rule: "SEED241-002 §2.2",
    device: "console",
    run: (driver) =>
      driver
        .to(0x0b, [...SPLIT, RESERVED_BIT])
        .accept(SPLIT)
        .status(0x0b).verdict,
  },
  {
    does: "accepts RING_PACKED, then another set without it, before FEATURES_OK",
    rule: "SEED241-011 §3.1.1",
    device: "console",
    run: (driver) => driver.to(0x03).accept(PACKED).accept(SPLIT).status(0x0b).ringInForce(),
  },
  {
    does: "accepts a set without RING_PACKED, then another one with it, before FEATURES_OK",
    rule: "SEED241-011 §3.1.1",
    device: "console",
    run: (driver) => driver.to(0x03).accept(SPLIT).accept(PACKED).status(0x0b).ringInForce(),
  },
  {
    does: "writes word 1 before word 0, and word 0 once more",
    rule: "MMIO-051 §4.2.2",
    device: "console",
    run: (driver) => {
      driver.to(0x03).accept(PACKED).acceptWord(0, 0);
      return driver.status(0x0b).ringInForce();
    },
  },
  {
    does: "accepts RING_PACKED after FEATURES_OK",
    rule: "INIT-004 §3.1.1",
    device: "console",
    run: (driver) => driver.to(0x0b).accept(PACKED).ringInForce(),
  },
  {
    does: "accepts RING_PACKED after FEATURES_OK, and writes FEATURES_OK once more",
    rule: "SEED241-004 §2.2",
    device: "console",
    run: (driver) => driver.to(0x0b).accept(PACKED).status(0x0b).ringInForce(),
  },
  {
    does: "clears FEATURES_OK, accepts RING_PACKED, and sets FEATURES_OK again",
    rule: "SEED241-004 §2.2",
    device: "console",
    differs: strictOnly(ours("only a reset opens the negotiation again")),
    run: (driver) => driver.to(0x0b).status(0x03).accept(PACKED).status(0x0b).ringInForce(),
  },
  {
    does: "accepts its features before ACKNOWLEDGE and DRIVER",
    rule: "INIT-001 §3.1.1",
    device: "console",
    run: (driver) => driver.status(0).accept(PACKED).status(0x01, 0x03, 0x0b).ringInForce(),
  },
  {
    does: "accepts RING_PACKED, resets, and accepts nothing",
    rule: "RESET-001 §2.4.1",
    device: "console",
    differs: {
      strict: ours("a reset forgets what was accepted, and a set without VERSION_1 is refused"),
      "qemu-mmio": ours(
        "a reset forgets what was accepted; QEMU 7.2 keeps the words, which is its defect and not copied",
      ),
    },
    run: (driver) => {
      driver.to(0x0b, PACKED).status(0, 0x01, 0x03, 0x0b);
      const { verdict } = driver;
      return verdict === "refused" ? verdict : `${verdict}, ${driver.ringInForce()}`;
    },
  },
  {
    does: "reads feature word 2 of the offer",
    rule: "MMIO-051 §4.2.2",
    device: "console",
    differs: strictOnly(ours("words behind the offer are 0")),
    run: (driver) => word(driver.offered(2), driver.offered(1)),
  },
  {
    does: "reads feature word 0xffffffff of the offer",
    rule: "MMIO-051 §4.2.2",
    device: "console",
    differs: strictOnly(ours("words behind the offer are 0")),
    run: (driver) => word(driver.offered(0xffff_ffff), driver.offered(1)),
  },
  {
    does: "writes words 0, 1, 2 and 3 in order, 2 and 3 being zero",
    rule: "MMIO-051 §4.2.2",
    device: "console",
    differs: strictOnly(
      ours(
        "each word is its own; in QEMU words 2 and 3 replace word 1, and take RING_PACKED and VERSION_1 back",
      ),
    ),
    run: (driver) => {
      driver.to(0x03).accept(PACKED).acceptWord(2, 0);
      driver.acceptWord(3, 0);
      driver.status(0x0b);
      return `${driver.verdict}, ${driver.ringInForce()}`;
    },
  },
];

function word(value: number, last: number): string {
  return value === 0 ? "0" : value === last ? "word 1 again" : "another word";
}
