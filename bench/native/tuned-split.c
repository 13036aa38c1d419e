/*
 * The split virtqueue (§2.7) in C with the tricks of bench/rings/js-tuned-split.ts: whole batches with the state in
 * locals, a descriptor's tail in one word, one shadow for each half, and the chain of one descriptor peeled. Every check
 * and token is there.
 */
#include "ring.h"

struct shadow {
  uint16_t link;
  uint16_t last;
  uint16_t generation;
  uint16_t count;
  uint64_t writable;
};

struct chain {
  uint32_t token;
  uint16_t readable;
  uint16_t writable;
};

static uint64_t *const table = (uint64_t *)(guest + DESCRIPTOR_AREA);
static volatile uint16_t *const avail = (volatile uint16_t *)(guest + DRIVER_AREA);
static uint16_t *const avail_ring = (uint16_t *)(guest + DRIVER_AREA + 4);
static volatile uint16_t *const used = (volatile uint16_t *)(guest + DEVICE_AREA);

static struct shadow driver[QUEUE_MAX], device[QUEUE_MAX];
static struct chain chains[QUEUE_MAX];
static struct used segments[4 * QUEUE_MAX]; /* { address, length }: guest RAM is far below 4 GiB */
static uint32_t free_head, free_count, in_flight;
static uint16_t avail_idx, driver_used_idx, next_avail_idx, used_idx;

/* The used ring begins 4 bytes behind a multiple of 8, so its elements are written as bytes are copied. */
static inline void store_element(uint32_t slot, struct used element) {
  memcpy(guest + DEVICE_AREA + 4 + (size_t)slot * 8, &element, 8);
}

static inline struct used load_element(uint32_t slot) {
  struct used element;
  memcpy(&element, guest + DEVICE_AREA + 4 + (size_t)slot * 8, 8);
  return element;
}

static inline uint64_t tail_of(uint32_t length, uint32_t flags, uint32_t next) {
  return length | (uint64_t)(flags | next << 16) << 32;
}

void ring_reset(void) {
  for (uint32_t slot = 0; slot < queue_size; slot++) {
    driver[slot].link = (uint16_t)((slot + 1) % queue_size);
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

static uint32_t place_direct(const struct submission *submission, uint32_t head, uint32_t count) {
  uint32_t slot = head;
  for (uint32_t i = 0;; i++) {
    const struct segment *segment = &submission->segments[i];
    uint32_t write = i < submission->readable ? 0 : VIRTQ_DESC_F_WRITE;
    table[2 * slot] = segment->address;
    if (i + 1 == count) {
      table[2 * slot + 1] = tail_of(segment->length, write, 0);
      return slot;
    }
    uint32_t next = driver[slot].link;
    table[2 * slot + 1] = tail_of(segment->length, write | VIRTQ_DESC_F_NEXT, next);
    slot = next;
  }
}

static void place_table(const struct submission *submission, uint32_t head, uint32_t count) {
  uint32_t at = TABLES + head * TABLE_ENTRIES * 16;
  uint64_t *entries = (uint64_t *)(guest + at);
  for (uint32_t i = 0; i < count; i++) {
    const struct segment *segment = &submission->segments[i];
    uint32_t write = i < submission->readable ? 0 : VIRTQ_DESC_F_WRITE;
    bool more = i + 1 < count;
    entries[2 * i] = segment->address;
    entries[2 * i + 1] = tail_of(segment->length, more ? write | VIRTQ_DESC_F_NEXT : write, more ? i + 1 : 0);
  }
  table[2 * head] = at;
  table[2 * head + 1] = tail_of(count * 16, VIRTQ_DESC_F_INDIRECT, 0);
}

uint32_t ring_submit(void) {
  uint32_t mask = queue_size - 1, head = free_head, room = free_count, added = 0;
  uint16_t idx = avail_idx;
  const uint8_t *at = submissions;
  for (; added < batch; added++, at += submission_bytes) {
    const struct submission *submission = (const struct submission *)at;
    uint32_t count = submission->readable + submission->writable, needed = 1, last = head;
    struct shadow *shadow = &driver[head];
    if (count == 1 && !submission->indirect) {
      const struct segment *segment = &submission->segments[0];
      if (!in_guest(segment->address, segment->length)) fail("BAD_ARGUMENT");
      if (room == 0) break;
      table[2 * head] = segment->address;
      table[2 * head + 1] = tail_of(segment->length, submission->readable ? 0 : VIRTQ_DESC_F_WRITE, 0);
      shadow->writable = submission->readable ? 0 : segment->length;
    } else {
      uint64_t writable = judge(submission, count);
      needed = submission->indirect ? 1 : count;
      if (needed > room) break;
      if (submission->indirect) place_table(submission, head, count);
      else last = place_direct(submission, head, count);
      shadow->writable = writable;
    }
    shadow->last = (uint16_t)last;
    shadow->count = (uint16_t)needed;
    room -= needed;
    avail_ring[idx & mask] = (uint16_t)head;
    idx++;
    tokens[added] = head | (uint32_t)shadow->generation << 16;
    head = driver[last].link;
  }
  free_head = head;
  free_count = room;
  in_flight += added;
  avail_idx = idx;
  avail[1] = idx;
  (void)(used[0] & VIRTQ_USED_F_NO_NOTIFY);
  return added;
}

/* Follows `next` in the ring, and in an indirect table; gives the writable bytes. */
static uint64_t walk(uint32_t head, struct chain *chain, uint32_t segment) {
  const uint64_t *list = table;
  uint32_t entries = queue_size, slot = head, readable = 0, writable = 0;
  uint64_t total = 0, writable_bytes = 0;
  for (uint32_t visited = 1;; visited++) {
    uint64_t address = list[2 * slot], tail = list[2 * slot + 1];
    uint32_t length = (uint32_t)tail, flags = (uint32_t)(tail >> 32) & 0xffff;
    if (flags & VIRTQ_DESC_F_INDIRECT) {
      if (list != table) fail("INDIRECT_NESTED");
      if (flags & VIRTQ_DESC_F_NEXT) fail("INDIRECT_WITH_NEXT");
      if (length == 0 || length % 16 != 0) fail("INDIRECT_BAD_SIZE");
      if (length > 16 * 1024) fail("INDIRECT_TOO_LONG");
      if (!in_guest(address, length)) fail("INDIRECT_OUT_OF_GUEST");
      list = (const uint64_t *)(guest + address);
      entries = length / 16;
      slot = 0;
      visited = 0;
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
    if (!(flags & VIRTQ_DESC_F_NEXT)) break;
    slot = (uint32_t)(tail >> 48);
    if (slot >= entries) fail("DESC_NEXT_RANGE");
    if (visited == entries) fail("CHAIN_TOO_LONG");
  }
  if (total > CHAIN_BYTES_MAX) fail("CHAIN_BYTES_OVERFLOW");
  chain->readable = (uint16_t)readable;
  chain->writable = (uint16_t)writable;
  return writable_bytes;
}

static uint32_t take(void) {
  uint32_t size = queue_size, segment = 0;
  uint16_t next = next_avail_idx;
  uint16_t newly = (uint16_t)(avail[1] - next);
  if (newly + (uint16_t)(next - used_idx) > size) fail("RING_INDEX_JUMP");
  uint32_t limit = newly < batch ? newly : batch;
  for (uint32_t i = 0; i < limit; i++) {
    uint32_t head = avail_ring[(next + i) & (size - 1)];
    if (head >= size) fail("DESC_INDEX_RANGE");
    struct shadow *shadow = &device[head];
    struct chain *chain = &chains[i];
    if (shadow->count) fail("HEAD_IN_FLIGHT");
    uint64_t address = table[2 * head], tail = table[2 * head + 1];
    uint32_t length = (uint32_t)tail, flags = (uint32_t)(tail >> 32) & 0xffff;
    if (!(flags & (VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT)) && length != 0) {
      if (!in_guest(address, length)) fail("DESC_OUT_OF_GUEST");
      bool write = (flags & VIRTQ_DESC_F_WRITE) != 0;
      segments[segment] = (struct used){(uint32_t)address, length};
      chain->readable = !write;
      chain->writable = write;
      shadow->writable = write ? length : 0;
      segment++;
    } else {
      shadow->writable = walk(head, chain, segment);
      segment += (uint32_t)chain->readable + chain->writable;
    }
    chain->token = head | (uint32_t)shadow->generation << 16;
    shadow->count = 1;
  }
  next_avail_idx = (uint16_t)(next + limit);
  return limit;
}

static void complete(uint32_t count) {
  uint32_t size = queue_size;
  uint16_t idx = used_idx;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t token = chains[i].token, written = 0, slot = token & 0xffff;
    if (slot >= size) fail("COMPLETE_UNKNOWN");
    struct shadow *shadow = &device[slot];
    if (!shadow->count) fail("COMPLETE_UNKNOWN");
    if (shadow->generation != token >> 16) fail("STALE_TOKEN");
    if (written > shadow->writable) fail("COMPLETE_LEN_OVERFLOW");
    shadow->count = 0;
    shadow->generation = (uint16_t)next_generation(shadow->generation);
    store_element(idx & (size - 1), (struct used){slot, written});
    idx++;
  }
  used_idx = idx;
  used[1] = idx;
  (void)(avail[0] & VIRTQ_AVAIL_F_NO_INTERRUPT);
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
  uint32_t size = queue_size, head = free_head, freed = 0;
  uint16_t idx = driver_used_idx;
  uint16_t newly = (uint16_t)(used[1] - idx);
  if (newly > in_flight) fail("USED_INDEX_JUMP");
  uint32_t limit = newly < batch ? newly : batch;
  for (uint32_t i = 0; i < limit; i++) {
    struct used element = load_element((uint16_t)(idx + i) & (size - 1));
    uint32_t id = element.token;
    if (id >= size) fail("USED_ID_RANGE");
    struct shadow *shadow = &driver[id];
    if (!shadow->count) fail("USED_ID_NOT_INFLIGHT");
    if (element.length > shadow->writable) fail("USED_LEN_OVERFLOW");
    used_records[i] = (struct used){id | (uint32_t)shadow->generation << 16, element.length};
    shadow->generation = (uint16_t)next_generation(shadow->generation);
    freed += shadow->count;
    shadow->count = 0;
    driver[shadow->last].link = (uint16_t)head;
    head = id;
  }
  free_head = head;
  free_count += freed;
  in_flight -= limit;
  driver_used_idx = (uint16_t)(idx + limit);
  return limit;
}
