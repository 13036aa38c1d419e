/*
 * The packed virtqueue (§2.8) in C: the obvious algorithm, with every check and token of the JavaScript ring
 * (bench/rings/js-plain-packed.ts), statement for statement.
 */
#include "ring.h"

struct event {
  uint16_t off_wrap;
  uint16_t flags;
};

enum { AVAIL_AND_USED = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED };

static struct desc *const ring = (struct desc *)(guest + DESCRIPTOR_AREA);
static volatile struct event *const driver_event = (volatile struct event *)(guest + DRIVER_AREA);
static volatile struct event *const device_event = (volatile struct event *)(guest + DEVICE_AREA);

/* Driver half; its per-chain state goes by buffer ID. */
static uint16_t link_to[QUEUE_MAX], generation[QUEUE_MAX], count_of[QUEUE_MAX];
static uint64_t writable_of[QUEUE_MAX];
static uint32_t free_id, free_count, avail_slot, used_slot;
static bool avail_wrap = true, used_wrap = true;
static int32_t pending_slot = -1;
static uint16_t pending_flags;

/* Device half; its per-chain state goes by a number of its own, free ones being linked. */
static uint16_t device_link[QUEUE_MAX], device_generation[QUEUE_MAX], device_count[QUEUE_MAX], device_id[QUEUE_MAX];
static uint64_t device_writable[QUEUE_MAX];
static uint32_t take_slot, device_free, device_in_flight, device_used_slot;
static bool take_wrap = true, device_used_wrap = true;
static int32_t device_pending_slot = -1;
static uint16_t device_pending_flags;

/* The chain that `take` read last. */
static struct { uint64_t address; uint32_t length; } segments[2 * QUEUE_MAX];
static uint32_t readable_count, writable_count;
static uint64_t readable_bytes, writable_bytes;

static uint16_t load_flags(uint32_t slot) { return *(volatile uint16_t *)&ring[slot].fourth; }
static void store_flags(uint32_t slot, uint16_t flags) { *(volatile uint16_t *)&ring[slot].fourth = flags; }

void ring_reset(void) {
  for (uint32_t slot = 0; slot < queue_size; slot++) {
    link_to[slot] = device_link[slot] = (uint16_t)((slot + 1) % queue_size);
    generation[slot] = device_generation[slot] = 1;
  }
  free_count = queue_size;
}

/* Writes the next ring descriptor; the flags of the first one since `publish` wait for it. */
static void place_desc(uint64_t address, uint32_t length, uint32_t id, uint16_t kind) {
  uint32_t slot = avail_slot;
  uint16_t flags = (uint16_t)(kind | (avail_wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED));
  ring[slot].address = address;
  ring[slot].length = length;
  ring[slot].third = (uint16_t)id;
  if (pending_slot < 0) {
    pending_slot = (int32_t)slot;
    pending_flags = flags;
  } else {
    store_flags(slot, flags);
  }
  if (slot + 1 == queue_size) {
    avail_slot = 0;
    avail_wrap = !avail_wrap;
  } else {
    avail_slot = slot + 1;
  }
}

static void place_direct(const struct submission *submission, uint32_t id, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    uint16_t write = i < submission->readable ? 0 : VIRTQ_DESC_F_WRITE;
    uint16_t more = i + 1 < count ? VIRTQ_DESC_F_NEXT : 0;
    place_desc(submission->segments[i].address, submission->segments[i].length, id, write | more);
  }
}

static void place_table(const struct submission *submission, uint32_t id, uint32_t count) {
  uint32_t at = TABLES + id * TABLE_ENTRIES * 16;
  struct desc *entries = (struct desc *)(guest + at);
  for (uint32_t i = 0; i < count; i++) {
    entries[i].address = submission->segments[i].address;
    entries[i].length = submission->segments[i].length;
    entries[i].third = 0;
    entries[i].fourth = i < submission->readable ? 0 : VIRTQ_DESC_F_WRITE;
  }
  place_desc(at, count * 16, id, VIRTQ_DESC_F_INDIRECT);
}

static uint32_t add(const struct submission *submission) {
  uint32_t readable = submission->readable;
  uint32_t count = readable + submission->writable;
  if (count == 0) fail("a chain has at least one element");
  bool indirect = submission->indirect != 0;
  if (count > (indirect ? TABLE_ENTRIES : queue_size)) fail("CHAIN_TOO_LONG");
  uint64_t total = 0, writable = 0;
  for (uint32_t i = 0; i < count; i++) {
    const struct segment *segment = &submission->segments[i];
    if (!in_guest(segment->address, segment->length)) fail("BAD_ARGUMENT");
    total += segment->length;
    if (i >= readable) writable += segment->length;
  }
  if (total > CHAIN_BYTES_MAX) fail("CHAIN_BYTES_OVERFLOW");
  uint32_t needed = indirect ? 1 : count;
  if (needed > free_count) return 0;
  uint32_t id = free_id;
  if (indirect) place_table(submission, id, count);
  else place_direct(submission, id, count);
  free_id = link_to[id];
  free_count -= needed;
  count_of[id] = (uint16_t)needed;
  writable_of[id] = writable;
  return id | (uint32_t)generation[id] << 16;
}

uint32_t ring_submit(void) {
  for (uint32_t i = 0; i < batch; i++) {
    uint32_t token = add(submission_at(i));
    if (token == 0) return i;
    tokens[i] = token;
  }
  if (pending_slot < 0) return batch;
  store_flags((uint32_t)pending_slot, pending_flags);
  pending_slot = -1;
  if (device_event->flags == RING_EVENT_FLAGS_DISABLE) return batch;
  return batch;
}

static void push(uint64_t address, uint32_t length, uint16_t flags) {
  bool write = (flags & VIRTQ_DESC_F_WRITE) != 0;
  if (!write && writable_count > 0) fail("DESC_ORDER");
  if (length == 0) return;
  if (!in_guest(address, length)) fail("DESC_OUT_OF_GUEST");
  if (readable_bytes + writable_bytes + length > CHAIN_BYTES_MAX) fail("CHAIN_BYTES_OVERFLOW");
  segments[readable_count + writable_count].address = address;
  segments[readable_count + writable_count].length = length;
  if (write) {
    writable_count++;
    writable_bytes += length;
  } else {
    readable_count++;
    readable_bytes += length;
  }
}

static void walk_table(uint64_t address, uint32_t length) {
  if (length == 0 || length % 16 != 0) fail("INDIRECT_BAD_SIZE");
  uint32_t entries = length / 16;
  if (entries > 1024) fail("INDIRECT_TOO_LONG");
  if (!in_guest(address, length)) fail("INDIRECT_OUT_OF_GUEST");
  const struct desc *list = (const struct desc *)(guest + address);
  for (uint32_t entry = 0; entry < entries; entry++) {
    struct desc desc = list[entry];
    push(desc.address, desc.length, desc.fourth);
  }
}

static bool is_available(uint16_t flags, bool wrap) {
  return (flags & AVAIL_AND_USED) == (wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED);
}

/* Takes the chain at the take position, if it is available; its token, or 0. */
static uint32_t take(void) {
  uint32_t chain = device_free;
  uint32_t slot = take_slot;
  bool wrap = take_wrap;
  uint16_t flags = load_flags(slot);
  if (!is_available(flags, wrap)) return 0;
  readable_count = writable_count = 0;
  readable_bytes = writable_bytes = 0;
  uint32_t count = 0;
  for (;;) {
    count++;
    if (device_in_flight + count > queue_size) fail("RING_INDEX_JUMP");
    struct desc desc = ring[slot];
    if (flags & VIRTQ_DESC_F_INDIRECT) {
      if (flags & VIRTQ_DESC_F_NEXT || count > 1) fail("INDIRECT_WITH_NEXT");
      walk_table(desc.address, desc.length);
    } else {
      push(desc.address, desc.length, flags);
    }
    slot++;
    if (slot == queue_size) {
      slot = 0;
      wrap = !wrap;
    }
    if (!(flags & VIRTQ_DESC_F_NEXT)) {
      device_id[chain] = desc.third;
      break;
    }
    if (count == queue_size) fail("CHAIN_TOO_LONG");
    flags = load_flags(slot);
    if (!is_available(flags, wrap)) fail("PACKED_NOT_AVAILABLE");
  }
  take_slot = slot;
  take_wrap = wrap;
  device_in_flight += count;
  device_free = device_link[chain];
  device_count[chain] = (uint16_t)count;
  device_writable[chain] = writable_bytes;
  return chain | (uint32_t)device_generation[chain] << 16;
}

static void complete(uint32_t token, uint32_t written) {
  uint32_t chain = token & 0xffff;
  if (chain >= queue_size) fail("COMPLETE_UNKNOWN");
  uint32_t count = device_count[chain];
  if (count == 0) fail("COMPLETE_UNKNOWN");
  if (device_generation[chain] != token >> 16) fail("STALE_TOKEN");
  if (written > device_writable[chain]) fail("COMPLETE_LEN_OVERFLOW");
  device_count[chain] = 0;
  device_in_flight -= count;
  device_generation[chain] = (uint16_t)next_generation(device_generation[chain]);
  device_link[chain] = (uint16_t)device_free;
  device_free = chain;
  uint32_t slot = device_used_slot;
  uint16_t flags = (uint16_t)((device_used_wrap ? AVAIL_AND_USED : 0) | (written > 0 ? VIRTQ_DESC_F_WRITE : 0));
  ring[slot].length = written;
  ring[slot].third = device_id[chain];
  if (device_pending_slot < 0) {
    device_pending_slot = (int32_t)slot;
    device_pending_flags = flags;
  } else {
    store_flags(slot, flags);
  }
  device_used_slot += count;
  if (device_used_slot >= queue_size) {
    device_used_slot -= queue_size;
    device_used_wrap = !device_used_wrap;
  }
}

static uint32_t publish_used(uint32_t served) {
  if (device_pending_slot < 0) return served;
  store_flags((uint32_t)device_pending_slot, device_pending_flags);
  device_pending_slot = -1;
  if (driver_event->flags == RING_EVENT_FLAGS_DISABLE) return served;
  return served;
}

uint32_t ring_serve(void) {
  uint32_t served = 0;
  for (; served < batch; served++) {
    uint32_t token = take();
    if (token == 0) break;
    complete(token, 0);
  }
  return publish_used(served);
}

uint32_t ring_witness(uint32_t *seen) {
  static uint32_t held[QUEUE_MAX];
  uint32_t served = 0;
  for (; served < batch; served++) {
    held[served] = take();
    if (held[served] == 0) break;
    for (uint32_t s = 0; s < readable_count + writable_count; s++)
      *seen += seen_of((uint32_t)segments[s].address, segments[s].length, s >= readable_count);
  }
  for (uint32_t i = 0; i < served; i++) complete(held[i], 0);
  return publish_used(served);
}

uint32_t ring_reclaim(void) {
  uint32_t done = 0;
  for (; done < batch; done++) {
    uint32_t slot = used_slot;
    uint16_t flags = load_flags(slot);
    if ((flags & AVAIL_AND_USED) != (used_wrap ? AVAIL_AND_USED : 0)) break;
    uint32_t id = ring[slot].third;
    if (id >= queue_size) fail("USED_ID_RANGE");
    uint32_t count = count_of[id];
    if (count == 0) fail("USED_ID_NOT_INFLIGHT");
    uint32_t length = flags & VIRTQ_DESC_F_WRITE ? ring[slot].length : 0;
    if (length > writable_of[id]) fail("USED_LEN_OVERFLOW");
    used_records[done].token = id | (uint32_t)generation[id] << 16;
    used_records[done].length = length;
    generation[id] = (uint16_t)next_generation(generation[id]);
    free_count += count;
    count_of[id] = 0;
    link_to[id] = (uint16_t)free_id;
    free_id = id;
    used_slot = slot + count;
    if (used_slot >= queue_size) {
      used_slot -= queue_size;
      used_wrap = !used_wrap;
    }
  }
  return done;
}
