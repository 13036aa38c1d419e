/**
 * The same guest work over v86's own rings and over ours, in one boot and in turns: what was moved and notified, and the
 * time of the device's side of the ring. It tells; who judges is measure.test.ts, who prints `npm run bench:v86`.
 */
import { NetModel } from "../../../src/models";
import { type AttachedDevice, attach } from "../../../src/v86";
import { Linux } from "./linux";
import { NetPeer } from "./net-peer";
import { attachedRings, ExchangeableNet, type NetCounts, type NetRings, stockPlug } from "./net-rings";
import type { GuestFiles } from "./packages";
import { Stopwatch } from "./stopwatch";

/** Echo requests of a round. */
export const PINGS = 100;
const KIB = 256;
const RING_FEATURES = ["INDIRECT_DESC", "EVENT_IDX"];
const MAC = "52:54:00:12:34:56";
const STOCK_NETWORK = "10.0.1";
const OUR_NETWORK = "10.0.2";
const DRIVER = "/sys/bus/virtio/drivers/virtio_net";

/** What the guest does in a round, by name. */
const WORK: Readonly<Record<string, (peer: string) => string>> = {
  [`${PINGS} pings, one at a time`]: (peer) => `ping -q -c ${PINGS} -i 0.002 ${peer}`,
  [`${KIB} KiB to a TCP echo and back`]: (peer) => `nc ${peer} 7 < /tmp/up | cmp - /tmp/up`,
};

/** One work of one round. */
export interface Sample extends NetCounts {
  /** Nanoseconds in the ring's code, without what it calls of v86 to interrupt. */
  readonly ring: number;
  /** Nanoseconds in copying between buffers and the model. */
  readonly copy: number;
  /** Nanoseconds that the whole work took, the guest's emulation included. */
  readonly all: number;
}

/** One work, and what came of it over each kind of rings, round by round. */
export interface MeasuredWork {
  readonly work: string;
  readonly rings: readonly { readonly name: string; readonly samples: readonly Sample[] }[];
}

/** All of it. */
export interface Measured {
  readonly works: readonly MeasuredWork[];
  /** What a measured call costs, in nanoseconds; it is taken off. */
  readonly floor: number;
  /** Pings answered, frames that arrived broken, and what our device had to give up. */
  readonly pings: number;
  readonly broken: number;
  readonly drops: number;
}

interface Subject {
  readonly ring: NetRings;
  readonly network: string;
}

/** Boots a guest and has it work in so many rounds. */
export async function measureRings(files: GuestFiles, rounds: number): Promise<Measured> {
  const net = new NetModel({ mac: MAC });
  const subjects: Subject[] = [];
  const peers: NetPeer[] = [];
  let attached: AttachedDevice | undefined;
  const linux = await Linux.start(files, {
    v86: { net_device: { type: "virtio" } },
    prepare: async (emulator) => {
      const stock = await ExchangeableNet.of(emulator);
      const { devices } = await attach(emulator, [net]);
      const [device] = devices;
      if (device === undefined) throw new Error("nothing was attached");
      attached = device;
      peers.push(
        new NetPeer(stockPlug(emulator), `${STOCK_NETWORK}.1`),
        new NetPeer(net, `${OUR_NETWORK}.1`),
      );
      subjects.push(
        { network: STOCK_NETWORK, ring: stock.rings("v86's own, split") },
        { network: STOCK_NETWORK, ring: stock.rings("ours, split", RING_FEATURES) },
        { network: STOCK_NETWORK, ring: stock.rings("ours, packed", [...RING_FEATURES, "RING_PACKED"]) },
        { network: OUR_NETWORK, ring: attachedRings("our device, packed", emulator, device) },
      );
    },
  });
  try {
    const floor = Stopwatch.floor();
    const rows = await inTurns(linux, subjects, rounds, floor);
    const works = Object.keys(WORK).map((work, i) => ({
      work,
      rings: rows.map(({ name, samples }) => ({ name, samples: samples.flatMap((one) => one[i] ?? []) })),
    }));
    const sum = (of: (peer: NetPeer) => number) => peers.reduce((total, peer) => total + of(peer), 0);
    return {
      works,
      floor,
      pings: sum(({ counts }) => counts.pings),
      broken: sum(({ counts }) => counts.broken),
      drops: attached?.counters.drops ?? 0,
    };
  } finally {
    await linux.stop();
  }
}

async function inTurns(linux: Linux, subjects: readonly Subject[], rounds: number, floor: number) {
  await linux.succeed(`dd if=/dev/urandom of=/tmp/up bs=1k count=${KIB}`);
  const watch = new Stopwatch();
  const names = new Map([
    [STOCK_NETWORK, await virtioName(linux, "L")],
    [OUR_NETWORK, await virtioName(linux, "l")],
  ]);
  const rows = subjects.map(({ ring, network }) => ({
    ring,
    network,
    name: ring.name,
    samples: [] as Sample[][],
  }));
  for (let round = 0; round < rounds; round++) {
    for (const { ring, network, samples } of rows) {
      const device = names.get(network);
      await linux.succeed(`echo ${device} > ${DRIVER}/unbind`);
      const away = ring.use(watch);
      await linux.succeed(`echo ${device} > ${DRIVER}/bind`);
      const up = `ifconfig $(ls /sys/bus/virtio/devices/${device}/net) ${network}.2 netmask 255.255.255.0 up`;
      await linux.succeed(`${up}; ping -q -c 1 ${network}.1`);
      samples.push(await work(linux, { ring, network }, watch, floor));
      away();
    }
  }
  return rows;
}

async function work(
  linux: Linux,
  { ring, network }: Subject,
  watch: Stopwatch,
  floor: number,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const command of Object.values(WORK)) {
    const before = ring.counts();
    watch.restart();
    const start = performance.now();
    await linux.succeed(command(`${network}.1`));
    const all = (performance.now() - start) * 1e6;
    const time = { ring: watch.nanoseconds("ring", floor), copy: watch.nanoseconds("copy", floor), all };
    const { chains, kicks, interrupts } = ring.counts();
    samples.push({
      chains: chains - before.chains,
      kicks: kicks - before.kicks,
      interrupts: interrupts - before.interrupts,
      ...time,
    });
  }
  return samples;
}

/** The guest's name of a device. @param list "l" for ours, "L" for v86's: what grep is to list by our address */
function virtioName(linux: Linux, list: "l" | "L"): Promise<string> {
  const file = `$(grep -${list} ${MAC} /sys/class/net/eth*/address)`;
  return linux.succeed(`basename $(readlink -f $(dirname ${file})/device)`);
}
