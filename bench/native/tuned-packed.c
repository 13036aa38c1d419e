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

struct queue {
  struct guest guest;
  uint32_t size;
  uint64_t *ring;
  volatile uint16_t *driver_event, *device_event;
  uint64_t tables;
  struct shadow *driver, *device;
  uint32_t free_id, free_count, avail_slot, used_slot;
  uint32_t take_slot, device_free, device_in_flight, device_used_slot;
  bool avail_wrap, used_wrap, take_wrap, device_used_wrap;
  /* The batch that `take` gave last. */
  struct chain *chains;
  struct used *segments; /* { address, length }: guest RAM is far below 4 GiB */
};

static inline uint32_t available_flags(bool wrap) { return wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED; }
static inline uint32_t used_flags(bool wrap) { return wrap ? BOTH : 0; }
static inline uint64_t tail_of(uint32_t length, uint32_t id, uint32_t flags) {
  return length | (uint64_t)(id | flags << 16) << 32;
}
static inline uint32_t flags_of(uint64_t tail) { return (uint32_t)(tail >> 48); }
static inline uint32_t id_of(uint64_t tail) { return (uint32_t)(tail >> 32) & 0xffff; }
static inline uint64_t load_tail(const uint64_t *ring, uint32_t slot) {
  return *(const volatile uint64_t *)&ring[2 * slot + 1];
}

/* One release a batch: the first tail waits until everything behind it is written. */
static inline void store_tail(uint64_t *ring, uint32_t slot, uint64_t tail) {
  *(volatile uint64_t *)&ring[2 * slot + 1] = tail;
}

struct queue *queue_set_up(struct guest guest, struct areas areas, uint32_t size) {
  struct queue *queue = allocate(1, sizeof *queue);
  queue->guest = guest;
  queue->size = size;
  queue->ring = translate(guest, areas.descriptor, size * sizeof(struct desc));
  queue->driver_event = translate(guest, areas.driver, 4);
  queue->device_event = translate(guest, areas.device, 4);
  queue->tables = areas.tables;
  queue->driver = allocate(size, sizeof *queue->driver);
  queue->device = allocate(size, sizeof *queue->device);
  queue->chains = allocate(size, sizeof *queue->chains);
  queue->segments = allocate((size_t)size * INDIRECT_MAX, sizeof *queue->segments);
  for (uint32_t slot = 0; slot < size; slot++) {
    queue->driver[slot].link = queue->device[slot].link = (uint16_t)((slot + 1) % size);
    queue->driver[slot].generation = queue->device[slot].generation = 1;
  }
  queue->free_count = size;
  queue->avail_wrap = queue->used_wrap = queue->take_wrap = queue->device_used_wrap = true;
  return queue;
}

static uint64_t judge(const struct queue *queue, const struct submission *submission, uint32_t count) {
  if (count == 0) fail("a chain has at least one element");
  if (count > (submission->indirect ? TABLE_ENTRIES : queue->size)) fail("CHAIN_TOO_LONG");
  uint64_t total = 0, writable = 0;
  for (uint32_t i = 0; i < count; i++) {
    const struct segment *segment = &submission->segments[i];
    if (!in_guest(queue->guest, segment->address, segment->length)) fail("BAD_ARGUMENT");
    total += segment->length;
    if (i >= submission->readable) writable += segment->length;
  }
  if (total > CHAIN_BYTES_MAX) fail("CHAIN_BYTES_OVERFLOW");
  return writable;
}

/* Writes the second to the last descriptor of a list. */
static void place_rest(struct queue *queue, const struct submission *submission, uint32_t head, bool wrap, uint32_t id,
                       uint32_t count) {
  uint64_t *ring = queue->ring;
  uint32_t slot = head;
  for (uint32_t i = 1; i < count; i++) {
    slot++;
    if (slot == queue->size) {
      slot = 0;
      wrap = !wrap;
    }
    const struct segment *segment = &submission->segments[i];
    uint32_t kind = (i < submission->readable ? 0 : VIRTQ_DESC_F_WRITE) | (i + 1 < count ? VIRTQ_DESC_F_NEXT : 0);
    ring[2 * slot] = segment->address;
    ring[2 * slot + 1] = tail_of(segment->length, id, kind | available_flags(wrap));
  }
}

static uint64_t place_table(struct queue *queue, const struct submission *submission, uint32_t id, uint32_t count) {
  uint64_t at = queue->tables + id * TABLE_ENTRIES * 16;
  uint64_t *entries = (uint64_t *)(queue->guest.bytes + at);
  for (uint32_t i = 0; i < count; i++) {
    const struct segment *segment = &submission->segments[i];
    entries[2 * i] = segment->address;
    entries[2 * i + 1] = tail_of(segment->length, 0, i < submission->readable ? 0 : VIRTQ_DESC_F_WRITE);
  }
  return at;
}

uint32_t queue_submit(struct queue *queue, struct submissions submissions, uint32_t *tokens) {
  struct guest guest = queue->guest;
  struct shadow *driver = queue->driver;
  uint64_t *ring = queue->ring, first_tail = 0;
  uint32_t size = queue->size, slot = queue->avail_slot, first = slot, id = queue->free_id, room = queue->free_count;
  uint32_t added = 0;
  bool wrap = queue->avail_wrap;
  for (; added < submissions.count; added++) {
    const struct submission *submission = submission_at(submissions, added);
    uint32_t count = submission->readable + submission->writable, needed = 1;
    struct shadow *shadow = &driver[id];
    uint64_t address = submission->segments[0].address;
    uint32_t length = submission->segments[0].length;
    uint32_t flags = available_flags(wrap);
    if (count == 1 && !submission->indirect) {
      if (!in_guest(guest, address, length)) fail("BAD_ARGUMENT");
      if (room == 0) break;
      if (!submission->readable) flags |= VIRTQ_DESC_F_WRITE;
      shadow->writable = submission->readable ? 0 : length;
    } else {
      uint64_t writable = judge(queue, submission, count);
      needed = submission->indirect ? 1 : count;
      if (needed > room) break;
      if (submission->indirect) {
        address = place_table(queue, submission, id, count);
        length = count * 16;
        flags |= VIRTQ_DESC_F_INDIRECT;
      } else {
        place_rest(queue, submission, slot, wrap, id, count);
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
    if (slot >= size) {
      slot -= size;
      wrap = !wrap;
    }
  }
  queue->free_id = id;
  queue->free_count = room;
  queue->avail_slot = slot;
  queue->avail_wrap = wrap;
  if (added == 0) return 0;
  store_tail(ring, first, first_tail);
  (void)(queue->device_event[1] == RING_EVENT_FLAGS_DISABLE);
  return added;
}

/* Walks a list, or an indirect table; gives the descriptors that it takes in the ring. */
static uint32_t walk(struct queue *queue, uint32_t slot, bool wrap, uint32_t in_flight, struct shadow *shadow,
                     struct chain *chain, struct used *segment) {
  const uint64_t *ring = queue->ring;
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
      tail = load_tail(ring, slot);
      address = ring[2 * slot];
      flags = flags_of(tail);
      if ((flags & BOTH) != available_flags(wrap)) fail("PACKED_NOT_AVAILABLE");
      count++;
      if (in_flight + count > queue->size) fail("RING_INDEX_JUMP");
      shadow->id = (uint16_t)id_of(tail);
      slot++;
      if (slot == queue->size) {
        slot = 0;
        wrap = !wrap;
      }
    }
    uint32_t length = (uint32_t)tail;
    if (flags & VIRTQ_DESC_F_INDIRECT) {
      if (flags & VIRTQ_DESC_F_NEXT || count > 1) fail("INDIRECT_WITH_NEXT");
      if (length == 0 || length % 16 != 0) fail("INDIRECT_BAD_SIZE");
      if (length > 16 * INDIRECT_MAX) fail("INDIRECT_TOO_LONG");
      if (!in_guest(queue->guest, address, length)) fail("INDIRECT_OUT_OF_GUEST");
      entry = (const uint64_t *)(queue->guest.bytes + address);
      end = entry + length / 8;
      continue;
    }
    bool write = (flags & VIRTQ_DESC_F_WRITE) != 0;
    if (!write && writable > 0) fail("DESC_ORDER");
    if (length != 0) {
      if (!in_guest(queue->guest, address, length)) fail("DESC_OUT_OF_GUEST");
      total += length;
      *segment++ = (struct used){(uint32_t)address, length};
      if (write) {
        writable++;
        writable_bytes += length;
      } else {
        readable++;
      }
    }
    if (entry < end) continue;
    if (!(flags & VIRTQ_DESC_F_NEXT)) break;
    if (count == queue->size) fail("CHAIN_TOO_LONG");
  }
  if (total > CHAIN_BYTES_MAX) fail("CHAIN_BYTES_OVERFLOW");
  chain->readable = (uint16_t)readable;
  chain->writable = (uint16_t)writable;
  shadow->writable = writable_bytes;
  return count;
}

static uint32_t take(struct queue *queue, uint32_t budget) {
  struct guest guest = queue->guest;
  struct shadow *device = queue->device;
  struct chain *chain = queue->chains;
  struct used *segment = queue->segments;
  const uint64_t *ring = queue->ring;
  uint32_t size = queue->size, slot = queue->take_slot, free_slot = queue->device_free;
  uint32_t in_flight = queue->device_in_flight, taken = 0;
  bool wrap = queue->take_wrap;
  for (; taken < budget; taken++, chain++) {
    uint64_t tail = load_tail(ring, slot);
    uint32_t flags = flags_of(tail), length = (uint32_t)tail, count = 1;
    if ((flags & BOTH) != available_flags(wrap)) break;
    struct shadow *shadow = &device[free_slot];
    if (!(flags & (VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT)) && length != 0) {
      if (in_flight == size) fail("RING_INDEX_JUMP");
      uint64_t address = ring[2 * slot];
      if (!in_guest(guest, address, length)) fail("DESC_OUT_OF_GUEST");
      bool write = (flags & VIRTQ_DESC_F_WRITE) != 0;
      *segment++ = (struct used){(uint32_t)address, length};
      chain->readable = !write;
      chain->writable = write;
      shadow->writable = write ? length : 0;
      shadow->id = (uint16_t)id_of(tail);
    } else {
      count = walk(queue, slot, wrap, in_flight, shadow, chain, segment);
      segment += chain->readable + chain->writable;
    }
    chain->token = free_slot | (uint32_t)shadow->generation << 16;
    shadow->count = (uint16_t)count;
    free_slot = shadow->link;
    in_flight += count;
    slot += count;
    if (slot >= size) {
      slot -= size;
      wrap = !wrap;
    }
  }
  queue->take_slot = slot;
  queue->take_wrap = wrap;
  queue->device_free = free_slot;
  queue->device_in_flight = in_flight;
  return taken;
}

static void complete(struct queue *queue, uint32_t count) {
  if (count == 0) return;
  struct shadow *device = queue->device;
  const struct chain *chains = queue->chains;
  uint64_t *ring = queue->ring, first_tail = 0;
  uint32_t size = queue->size, slot = queue->device_used_slot, first = slot, free_slot = queue->device_free;
  uint32_t in_flight = queue->device_in_flight;
  bool wrap = queue->device_used_wrap;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t token = chains[i].token, written = 0, chain = token & 0xffff;
    if (chain >= size) fail("COMPLETE_UNKNOWN");
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
    if (slot >= size) {
      slot -= size;
      wrap = !wrap;
    }
  }
  queue->device_used_slot = slot;
  queue->device_used_wrap = wrap;
  queue->device_free = free_slot;
  queue->device_in_flight = in_flight;
  store_tail(ring, first, first_tail);
  (void)(queue->driver_event[1] == RING_EVENT_FLAGS_DISABLE);
}

uint32_t queue_serve(struct queue *queue, uint32_t budget) {
  uint32_t taken = take(queue, budget);
  complete(queue, taken);
  return taken;
}

uint32_t queue_witness(struct queue *queue, uint32_t budget, uint32_t *seen) {
  uint32_t taken = take(queue, budget);
  const struct used *segment = queue->segments;
  for (const struct chain *chain = queue->chains; chain < queue->chains + taken; chain++)
    for (uint32_t s = 0; s < (uint32_t)chain->readable + chain->writable; s++, segment++)
      *seen += seen_of(segment->token, segment->length, s >= chain->readable);
  complete(queue, taken);
  return taken;
}

uint32_t queue_reclaim(struct queue *queue, uint32_t budget, struct used *used) {
  struct shadow *driver = queue->driver;
  const uint64_t *ring = queue->ring;
  uint32_t size = queue->size, slot = queue->used_slot, id_free = queue->free_id, freed = 0, done = 0;
  bool wrap = queue->used_wrap;
  for (; done < budget; done++) {
    uint64_t tail = load_tail(ring, slot);
    uint32_t flags = flags_of(tail), id = id_of(tail);
    if ((flags & BOTH) != used_flags(wrap)) break;
    if (id >= size) fail("USED_ID_RANGE");
    struct shadow *shadow = &driver[id];
    uint32_t count = shadow->count;
    if (count == 0) fail("USED_ID_NOT_INFLIGHT");
    uint32_t length = flags & VIRTQ_DESC_F_WRITE ? (uint32_t)tail : 0;
    if (length > shadow->writable) fail("USED_LEN_OVERFLOW");
    used[done] = (struct used){id | (uint32_t)shadow->generation << 16, length};
    shadow->generation = (uint16_t)next_generation(shadow->generation);
    shadow->count = 0;
    shadow->link = (uint16_t)id_free;
    id_free = id;
    freed += count;
    slot += count;
    if (slot >= size) {
      slot -= size;
      wrap = !wrap;
    }
  }
  queue->free_id = id_free;
  queue->free_count += freed;
  queue->used_slot = slot;
  queue->used_wrap = wrap;
  return done;
}
