/*
 * The packed virtqueue (§2.8) in C with the tricks of bench/rings/js-tuned-packed.ts: whole batches with the state in
 * locals, length, ID and flags in one word, one shadow for each half, and the list of one descriptor peeled. Every check
 * and token is there.
 */
#include "ring.h"

struct shadow {
  uint16_t link;
  uint16_t generation;
  uint16_t count;
  uint16_t id;
  uint64_t writable;
};

struct chain {
  uint32_t token;
  uint16_t readable;
  uint16_t writable;
};

enum { BOTH = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED };

static uint64_t *const ring = (uint64_t *)(guest + DESCRIPTOR_AREA);
static volatile uint16_t *const driver_event = (volatile uint16_t *)(guest + DRIVER_AREA);
static volatile uint16_t *const device_event = (volatile uint16_t *)(guest + DEVICE_AREA);

static struct shadow driver[QUEUE_MAX], device[QUEUE_MAX];
static struct chain chains[QUEUE_MAX];
static struct used segments[4 * QUEUE_MAX]; /* { address, length }: guest RAM is far below 4 GiB */
static uint32_t free_id, free_count, avail_slot, used_slot;
static uint32_t take_slot, device_free, device_in_flight, device_used_slot;
static bool avail_wrap = true, used_wrap = true, take_wrap = true, device_used_wrap = true;

static inline uint32_t available_flags(bool wrap) { return wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED; }
static inline uint32_t used_flags(bool wrap) { return wrap ? BOTH : 0; }
static inline uint64_t tail_of(uint32_t length, uint32_t id, uint32_t flags) {
  return length | (uint64_t)(id | flags << 16) << 32;
}
static inline uint32_t flags_of(uint64_t tail) { return (uint32_t)(tail >> 48); }
static inline uint32_t id_of(uint64_t tail) { return (uint32_t)(tail >> 32) & 0xffff; }
static inline uint64_t load_tail(uint32_t slot) { return *(volatile uint64_t *)&ring[2 * slot + 1]; }

/* One release a batch: the first tail waits until everything behind it is written. */
static inline void store_tail(uint32_t slot, uint64_t tail) { *(volatile uint64_t *)&ring[2 * slot + 1] = tail; }

void ring_reset(void) {
  for (uint32_t slot = 0; slot < queue_size; slot++) {
    driver[slot].link = device[slot].link = (uint16_t)((slot + 1) % queue_size);
    driver[slot].generation = device[slot].generation = 1;
  }
  free_count = queue_size;
}

static uint64_t judge(const struct submission *submission, uint32_t count) {
  if (count == 0) fail("a chain has at least one element");
  if (count > (submission->indirect ? TABLE_ENTRIES : queue_size)) fail("CHAIN_TOO_LONG");
  uint64_t total = 0, writable = 0;
  for (uint32_t i = 0; i < count; i++) {
    const struct segment *segment = &submission->segments[i];
    if (!in_guest(segment->address, segment->length)) fail("BAD_ARGUMENT");
    total += segment->length;
    if (i >= submission->readable) writable += segment->length;
  }
  if (total > CHAIN_BYTES_MAX) fail("CHAIN_BYTES_OVERFLOW");
  return writable;
}

/* Writes the second to the last descriptor of a list. */
static void place_rest(const struct submission *submission, uint32_t head, bool wrap, uint32_t id, uint32_t count) {
  uint32_t slot = head;
  for (uint32_t i = 1; i < count; i++) {
    slot++;
    if (slot == queue_size) {
      slot = 0;
      wrap = !wrap;
    }
    const struct segment *segment = &submission->segments[i];
    uint32_t kind = (i < submission->readable ? 0 : VIRTQ_DESC_F_WRITE) | (i + 1 < count ? VIRTQ_DESC_F_NEXT : 0);
    ring[2 * slot] = segment->address;
    ring[2 * slot + 1] = tail_of(segment->length, id, kind | available_flags(wrap));
  }
}

static uint32_t place_table(const struct submission *submission, uint32_t id, uint32_t count) {
  uint32_t at = TABLES + id * TABLE_ENTRIES * 16;
  uint64_t *entries = (uint64_t *)(guest + at);
  for (uint32_t i = 0; i < count; i++) {
    const struct segment *segment = &submission->segments[i];
    entries[2 * i] = segment->address;
    entries[2 * i + 1] = tail_of(segment->length, 0, i < submission->readable ? 0 : VIRTQ_DESC_F_WRITE);
  }
  return at;
}

uint32_t ring_submit(void) {
  uint32_t slot = avail_slot, first = avail_slot, id = free_id, room = free_count, added = 0;
  uint64_t first_tail = 0;
  bool wrap = avail_wrap;
  const uint8_t *at = submissions;
  for (; added < batch; added++, at += submission_bytes) {
    const struct submission *submission = (const struct submission *)at;
    uint32_t count = submission->readable + submission->writable, needed = 1;
    struct shadow *shadow = &driver[id];
    uint64_t address = submission->segments[0].address;
    uint32_t length = submission->segments[0].length;
    uint32_t flags = available_flags(wrap);
    if (count == 1 && !submission->indirect) {
      if (!in_guest(address, length)) fail("BAD_ARGUMENT");
      if (room == 0) break;
      if (!submission->readable) flags |= VIRTQ_DESC_F_WRITE;
      shadow->writable = submission->readable ? 0 : length;
    } else {
      uint64_t writable = judge(submission, count);
      needed = submission->indirect ? 1 : count;
      if (needed > room) break;
      if (submission->indirect) {
        address = place_table(submission, id, count);
        length = count * 16;
        flags |= VIRTQ_DESC_F_INDIRECT;
      } else {
        place_rest(submission, slot, wrap, id, count);
        flags |= (submission->readable ? 0 : VIRTQ_DESC_F_WRITE) | (count > 1 ? VIRTQ_DESC_F_NEXT : 0);
      }
      shadow->writable = writable;
    }
    ring[2 * slot] = address;
    if (added == 0) first_tail = tail_of(length, id, flags);
    else ring[2 * slot + 1] = tail_of(length, id, flags);
    shadow->count = (uint16_t)needed;
    tokens[added] = id | (uint32_t)shadow->generation << 16;
    room -= needed;
    id = shadow->link;
    slot += needed;
    if (slot >= queue_size) {
      slot -= queue_size;
      wrap = !wrap;
    }
  }
  free_id = id;
  free_count = room;
  avail_slot = slot;
  avail_wrap = wrap;
  if (added == 0) return 0;
  store_tail(first, first_tail);
  (void)(device_event[1] == RING_EVENT_FLAGS_DISABLE);
  return added;
}

/* Walks a list, or an indirect table; gives the descriptors that it takes in the ring. */
static uint32_t walk(uint32_t slot, bool wrap, uint32_t in_flight, struct shadow *shadow, struct chain *chain,
                     uint32_t segment) {
  uint32_t count = 0, readable = 0, writable = 0;
  uint64_t total = 0, writable_bytes = 0;
  const uint64_t *entry = NULL, *end = NULL;
  for (;;) {
    uint64_t address, tail;
    uint32_t flags;
    if (entry < end) {
      address = entry[0];
      tail = entry[1];
      flags = flags_of(tail) & VIRTQ_DESC_F_WRITE;
      entry += 2;
    } else {
      tail = load_tail(slot);
      address = ring[2 * slot];
      flags = flags_of(tail);
      if ((flags & BOTH) != available_flags(wrap)) fail("PACKED_NOT_AVAILABLE");
      count++;
      if (in_flight + count > queue_size) fail("RING_INDEX_JUMP");
      shadow->id = (uint16_t)id_of(tail);
      slot++;
      if (slot == queue_size) {
        slot = 0;
        wrap = !wrap;
      }
    }
    uint32_t length = (uint32_t)tail;
    if (flags & VIRTQ_DESC_F_INDIRECT) {
      if (flags & VIRTQ_DESC_F_NEXT || count > 1) fail("INDIRECT_WITH_NEXT");
      if (length == 0 || length % 16 != 0) fail("INDIRECT_BAD_SIZE");
      if (length > 16 * 1024) fail("INDIRECT_TOO_LONG");
      if (!in_guest(address, length)) fail("INDIRECT_OUT_OF_GUEST");
      entry = (const uint64_t *)(guest + address);
      end = entry + length / 8;
      continue;
    }
    bool write = (flags & VIRTQ_DESC_F_WRITE) != 0;
    if (!write && writable > 0) fail("DESC_ORDER");
    if (length != 0) {
      if (!in_guest(address, length)) fail("DESC_OUT_OF_GUEST");
      total += length;
      segments[segment++] = (struct used){(uint32_t)address, length};
      if (write) {
        writable++;
        writable_bytes += length;
      } else {
        readable++;
      }
    }
    if (entry < end) continue;
    if (!(flags & VIRTQ_DESC_F_NEXT)) break;
    if (count == queue_size) fail("CHAIN_TOO_LONG");
  }
  if (total > CHAIN_BYTES_MAX) fail("CHAIN_BYTES_OVERFLOW");
  chain->readable = (uint16_t)readable;
  chain->writable = (uint16_t)writable;
  shadow->writable = writable_bytes;
  return count;
}

static uint32_t take(void) {
  uint32_t slot = take_slot, free_slot = device_free, in_flight = device_in_flight, segment = 0, taken = 0;
  bool wrap = take_wrap;
  for (; taken < batch; taken++) {
    uint64_t tail = load_tail(slot);
    uint32_t flags = flags_of(tail), length = (uint32_t)tail, count = 1;
    if ((flags & BOTH) != available_flags(wrap)) break;
    struct shadow *shadow = &device[free_slot];
    struct chain *chain = &chains[taken];
    if (!(flags & (VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT)) && length != 0) {
      if (in_flight == queue_size) fail("RING_INDEX_JUMP");
      uint64_t address = ring[2 * slot];
      if (!in_guest(address, length)) fail("DESC_OUT_OF_GUEST");
      bool write = (flags & VIRTQ_DESC_F_WRITE) != 0;
      segments[segment++] = (struct used){(uint32_t)address, length};
      chain->readable = !write;
      chain->writable = write;
      shadow->writable = write ? length : 0;
      shadow->id = (uint16_t)id_of(tail);
    } else {
      count = walk(slot, wrap, in_flight, shadow, chain, segment);
      segment += (uint32_t)chain->readable + chain->writable;
    }
    chain->token = free_slot | (uint32_t)shadow->generation << 16;
    shadow->count = (uint16_t)count;
    free_slot = shadow->link;
    in_flight += count;
    slot += count;
    if (slot >= queue_size) {
      slot -= queue_size;
      wrap = !wrap;
    }
  }
  take_slot = slot;
  take_wrap = wrap;
  device_free = free_slot;
  device_in_flight = in_flight;
  return taken;
}

static void complete(uint32_t count) {
  if (count == 0) return;
  uint32_t first = device_used_slot;
  uint64_t first_tail = 0;
  uint32_t slot = device_used_slot, free_slot = device_free, in_flight = device_in_flight;
  bool wrap = device_used_wrap;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t token = chains[i].token, written = 0, chain = token & 0xffff;
    if (chain >= queue_size) fail("COMPLETE_UNKNOWN");
    struct shadow *shadow = &device[chain];
    uint32_t descriptors = shadow->count;
    if (descriptors == 0) fail("COMPLETE_UNKNOWN");
    if (shadow->generation != token >> 16) fail("STALE_TOKEN");
    if (written > shadow->writable) fail("COMPLETE_LEN_OVERFLOW");
    shadow->count = 0;
    shadow->generation = (uint16_t)next_generation(shadow->generation);
    shadow->link = (uint16_t)free_slot;
    free_slot = chain;
    in_flight -= descriptors;
    if (i == 0) first_tail = tail_of(written, shadow->id, used_flags(wrap));
    else ring[2 * slot + 1] = tail_of(written, shadow->id, used_flags(wrap));
    slot += descriptors;
    if (slot >= queue_size) {
      slot -= queue_size;
      wrap = !wrap;
    }
  }
  device_used_slot = slot;
  device_used_wrap = wrap;
  device_free = free_slot;
  device_in_flight = in_flight;
  store_tail(first, first_tail);
  (void)(driver_event[1] == RING_EVENT_FLAGS_DISABLE);
}

uint32_t ring_serve(void) {
  uint32_t taken = take();
  complete(taken);
  return taken;
}

uint32_t ring_witness(uint32_t *seen) {
  uint32_t taken = take(), segment = 0;
  for (uint32_t i = 0; i < taken; i++)
    for (uint32_t s = 0; s < (uint32_t)chains[i].readable + chains[i].writable; s++, segment++)
      *seen += seen_of(segments[segment].token, segments[segment].length, s >= chains[i].readable);
  complete(taken);
  return taken;
}

uint32_t ring_reclaim(void) {
  uint32_t slot = used_slot, id_free = free_id, freed = 0, done = 0;
  bool wrap = used_wrap;
  for (; done < batch; done++) {
    uint64_t tail = load_tail(slot);
    uint32_t flags = flags_of(tail), id = id_of(tail);
    if ((flags & BOTH) != used_flags(wrap)) break;
    if (id >= queue_size) fail("USED_ID_RANGE");
    struct shadow *shadow = &driver[id];
    uint32_t count = shadow->count;
    if (count == 0) fail("USED_ID_NOT_INFLIGHT");
    uint32_t length = flags & VIRTQ_DESC_F_WRITE ? (uint32_t)tail : 0;
    if (length > shadow->writable) fail("USED_LEN_OVERFLOW");
    used_records[done] = (struct used){id | (uint32_t)shadow->generation << 16, length};
    shadow->generation = (uint16_t)next_generation(shadow->generation);
    shadow->count = 0;
    shadow->link = (uint16_t)id_free;
    id_free = id;
    freed += count;
    slot += count;
    if (slot >= queue_size) {
      slot -= queue_size;
      wrap = !wrap;
    }
  }
  free_id = id_free;
  free_count += freed;
  used_slot = slot;
  used_wrap = wrap;
  return done;
}
