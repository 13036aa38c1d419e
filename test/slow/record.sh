#!/usr/bin/env bash
# record.sh lo|veth FILE: real traffic on an interface of a network namespace that lives as long as this script.
# lo: frames of 64 KiB, by tcpdump as pcap. veth: a pair with MTU 1500, by dumpcap as pcapng. Run it under `unshare -n`.
set -euo pipefail
kind=$1 file=$2
traffic=$(dirname "$0")/traffic.mjs
log=$file.log
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

# until_said TEXT: waits until a line of the log says so.
until_said() {
  for _ in $(seq 300); do
    if grep -q "$1" "$log"; then return; fi
    sleep 0.1
  done
  cat "$log" >&2
  return 1
}

ip link set lo up
: >"$log"
if [ "$kind" = lo ]; then
  host=127.0.0.1
  tcpdump -i lo -s 0 -B 65536 -U -Z root -w "$file" 2>>"$log" &
  recorder=$!
  until_said "listening on"
  node "$traffic" serve $host >>"$log" &
  until_said ready
  ping -q -c 2 -s 60000 $host >/dev/null
  node "$traffic" talk $host 4
else
  host=10.5.0.2
  unshare -n sleep 600 &
  peer=$!
  ip link add veth0 mtu 1500 type veth peer name veth1 mtu 1500
  # Until the child has its own namespace this fails or moves nothing.
  for _ in $(seq 100); do
    if [ "$(readlink /proc/$peer/ns/net)" != "$(readlink /proc/self/ns/net)" ]; then break; fi
    sleep 0.1
  done
  ip link set veth1 netns $peer
  # No frame above the MTU, as if there were no segmentation offload.
  ip link set veth0 gso_max_segs 1 up
  ip addr add 10.5.0.1/24 dev veth0
  nsenter -t $peer -n ip link set veth1 gso_max_segs 1 up
  nsenter -t $peer -n ip addr add $host/24 dev veth1
  dumpcap -q -i veth0 -n -B 64 -w "$file" 2>>"$log" &
  recorder=$!
  until_said "^File:"
  nsenter -t $peer -n node "$traffic" serve $host >>"$log" &
  until_said ready
  for size in 0 56 1000 1472 1473 4000; do ping -q -c 1 -s $size $host >/dev/null; done
  node "$traffic" talk $host 1
fi
# What was sent last is still on its way to the recorder.
sleep 1
kill -INT $recorder
wait $recorder
