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

struct queue {
  struct guest guest;
  uint32_t size;
  uint64_t *table;
  volatile uint16_t *avail, *used; /* flags and idx */
  uint16_t *avail_ring;
  uint8_t *used_ring;
  uint64_t tables;
  struct shadow *driver, *device;
  uint32_t free_head, free_count, in_flight;
  uint16_t avail_idx, driver_used_idx, next_avail_idx, used_idx;
  /* The batch that `take` gave last. */
  struct chain *chains;
  struct used *segments; /* { address, length }: guest RAM is far below 4 GiB */
};

/* The used ring begins 4 bytes behind a multiple of 8, so its elements are written as bytes are copied. */
static inline void store_element(uint8_t *ring, uint32_t slot, struct used element) {
  memcpy(ring + (size_t)slot * 8, &element, 8);
}

static inline struct used load_element(const uint8_t *ring, uint32_t slot) {
  struct used element;
  memcpy(&element, ring + (size_t)slot * 8, 8);
  return element;
}

static inline uint64_t tail_of(uint32_t length, uint32_t flags, uint32_t next) {
  return length | (uint64_t)(flags | next << 16) << 32;
}

struct queue *queue_set_up(struct guest guest, struct areas areas, uint32_t size) {
  struct queue *queue = allocate(1, sizeof *queue);
  queue->guest = guest;
  queue->size = size;
  queue->table = translate(guest, areas.descriptor, size * sizeof(struct desc));
  queue->avail = translate(guest, areas.driver, 6 + 2 * size);
  queue->avail_ring = translate(guest, areas.driver + 4, 2 * size);
  queue->used = translate(guest, areas.device, 6 + 8 * size);
  queue->used_ring = translate(guest, areas.device + 4, 8 * size);
  queue->tables = areas.tables;
  queue->driver = allocate(size, sizeof *queue->driver);
  queue->device = allocate(size, sizeof *queue->device);
  queue->chains = allocate(size, sizeof *queue->chains);
  queue->segments = allocate((size_t)size * INDIRECT_MAX, sizeof *queue->segments);
  for (uint32_t slot = 0; slot < size; slot++) {
    queue->driver[slot].link = (uint16_t)((slot + 1) % size);
    queue->driver[slot].generation = queue->device[slot].generation = 1;
  }
  queue->free_count = size;
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

static uint32_t place_direct(struct queue *queue, const struct submission *submission, uint32_t head,
                             uint32_t count) {
  uint64_t *table = queue->table;
  uint32_t slot = head;
  for (uint32_t i = 0;; i++) {
    const struct segment *segment = &submission->segments[i];
    uint32_t write = i < submission->readable ? 0 : VIRTQ_DESC_F_WRITE;
    table[2 * slot] = segment->address;
    if (i + 1 == count) {
      table[2 * slot + 1] = tail_of(segment->length, write, 0);
      return slot;
    }
    uint32_t next = queue->driver[slot].link;
    table[2 * slot + 1] = tail_of(segment->length, write | VIRTQ_DESC_F_NEXT, next);
    slot = next;
  }
}

static void place_table(struct queue *queue, const struct submission *submission, uint32_t head, uint32_t count) {
  uint64_t at = queue->tables + head * TABLE_ENTRIES * 16;
  uint64_t *entries = (uint64_t *)(queue->guest.bytes + at);
  for (uint32_t i = 0; i < count; i++) {
    const struct segment *segment = &submission->segments[i];
    uint32_t write = i < submission->readable ? 0 : VIRTQ_DESC_F_WRITE;
    bool more = i + 1 < count;
    entries[2 * i] = segment->address;
    entries[2 * i + 1] = tail_of(segment->length, more ? write | VIRTQ_DESC_F_NEXT : write, more ? i + 1 : 0);
  }
  queue->table[2 * head] = at;
  queue->table[2 * head + 1] = tail_of(count * 16, VIRTQ_DESC_F_INDIRECT, 0);
}

uint32_t queue_submit(struct queue *queue, struct submissions submissions, uint32_t *tokens) {
  struct guest guest = queue->guest;
  struct shadow *driver = queue->driver;
  uint64_t *table = queue->table;
  uint16_t *avail_ring = queue->avail_ring;
  uint32_t mask = queue->size - 1, head = queue->free_head, room = queue->free_count, added = 0;
  uint16_t idx = queue->avail_idx;
  for (; added < submissions.count; added++) {
    const struct submission *submission = submission_at(submissions, added);
    uint32_t count = submission->readable + submission->writable, needed = 1, last = head;
    struct shadow *shadow = &driver[head];
    if (count == 1 && !submission->indirect) {
      const struct segment *segment = &submission->segments[0];
      if (!in_guest(guest, segment->address, segment->length)) fail("BAD_ARGUMENT");
      if (room == 0) break;
      table[2 * head] = segment->address;
      table[2 * head + 1] = tail_of(segment->length, submission->readable ? 0 : VIRTQ_DESC_F_WRITE, 0);
      shadow->writable = submission->readable ? 0 : segment->length;
    } else {
      uint64_t writable = judge(queue, submission, count);
      needed = submission->indirect ? 1 : count;
      if (needed > room) break;
      if (submission->indirect) place_table(queue, submission, head, count);
      else last = place_direct(queue, submission, head, count);
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
  queue->free_head = head;
  queue->free_count = room;
  queue->in_flight += added;
  queue->avail_idx = idx;
  queue->avail[1] = idx;
  (void)(queue->used[0] & VIRTQ_USED_F_NO_NOTIFY);
  return added;
}

/* Follows `next` in the ring, and in an indirect table; gives the writable bytes. */
static uint64_t walk(struct queue *queue, uint32_t head, struct chain *chain, struct used *segment) {
  const uint64_t *table = queue->table, *list = table;
  uint32_t entries = queue->size, slot = head, readable = 0, writable = 0;
  uint64_t total = 0, writable_bytes = 0;
  for (uint32_t visited = 1;; visited++) {
    uint64_t address = list[2 * slot], tail = list[2 * slot + 1];
    uint32_t length = (uint32_t)tail, flags = (uint32_t)(tail >> 32) & 0xffff;
    if (flags & VIRTQ_DESC_F_INDIRECT) {
      if (list != table) fail("INDIRECT_NESTED");
      if (flags & VIRTQ_DESC_F_NEXT) fail("INDIRECT_WITH_NEXT");
      if (length == 0 || length % 16 != 0) fail("INDIRECT_BAD_SIZE");
      if (length > 16 * INDIRECT_MAX) fail("INDIRECT_TOO_LONG");
      if (!in_guest(queue->guest, address, length)) fail("INDIRECT_OUT_OF_GUEST");
      list = (const uint64_t *)(queue->guest.bytes + address);
      entries = length / 16;
      slot = 0;
      visited = 0;
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

static uint32_t take(struct queue *queue, uint32_t budget) {
  struct guest guest = queue->guest;
  struct shadow *device = queue->device;
  const uint64_t *table = queue->table;
  const uint16_t *avail_ring = queue->avail_ring;
  struct chain *chain = queue->chains;
  struct used *segment = queue->segments;
  uint32_t size = queue->size;
  uint16_t next = queue->next_avail_idx;
  uint16_t newly = (uint16_t)(queue->avail[1] - next);
  if (newly + (uint16_t)(next - queue->used_idx) > size) fail("RING_INDEX_JUMP");
  uint32_t limit = newly < budget ? newly : budget;
  for (uint32_t i = 0; i < limit; i++, chain++) {
    uint32_t head = avail_ring[(next + i) & (size - 1)];
    if (head >= size) fail("DESC_INDEX_RANGE");
    struct shadow *shadow = &device[head];
    if (shadow->count) fail("HEAD_IN_FLIGHT");
    uint64_t address = table[2 * head], tail = table[2 * head + 1];
    uint32_t length = (uint32_t)tail, flags = (uint32_t)(tail >> 32) & 0xffff;
    if (!(flags & (VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT)) && length != 0) {
      if (!in_guest(guest, address, length)) fail("DESC_OUT_OF_GUEST");
      bool write = (flags & VIRTQ_DESC_F_WRITE) != 0;
      *segment++ = (struct used){(uint32_t)address, length};
      chain->readable = !write;
      chain->writable = write;
      shadow->writable = write ? length : 0;
    } else {
      shadow->writable = walk(queue, head, chain, segment);
      segment += chain->readable + chain->writable;
    }
    chain->token = head | (uint32_t)shadow->generation << 16;
    shadow->count = 1;
  }
  queue->next_avail_idx = (uint16_t)(next + limit);
  return limit;
}

static void complete(struct queue *queue, uint32_t count) {
  struct shadow *device = queue->device;
  const struct chain *chains = queue->chains;
  uint8_t *used_ring = queue->used_ring;
  uint32_t size = queue->size;
  uint16_t idx = queue->used_idx;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t token = chains[i].token, written = 0, slot = token & 0xffff;
    if (slot >= size) fail("COMPLETE_UNKNOWN");
    struct shadow *shadow = &device[slot];
    if (!shadow->count) fail("COMPLETE_UNKNOWN");
    if (shadow->generation != token >> 16) fail("STALE_TOKEN");
    if (written > shadow->writable) fail("COMPLETE_LEN_OVERFLOW");
    shadow->count = 0;
    shadow->generation = (uint16_t)next_generation(shadow->generation);
    store_element(used_ring, idx & (size - 1), (struct used){slot, written});
    idx++;
  }
  queue->used_idx = idx;
  queue->used[1] = idx;
  (void)(queue->avail[0] & VIRTQ_AVAIL_F_NO_INTERRUPT);
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
  const uint8_t *used_ring = queue->used_ring;
  uint32_t size = queue->size, head = queue->free_head, freed = 0;
  uint16_t idx = queue->driver_used_idx;
  uint16_t newly = (uint16_t)(queue->used[1] - idx);
  if (newly > queue->in_flight) fail("USED_INDEX_JUMP");
  uint32_t limit = newly < budget ? newly : budget;
  for (uint32_t i = 0; i < limit; i++) {
    struct used element = load_element(used_ring, (uint16_t)(idx + i) & (size - 1));
    uint32_t id = element.token;
    if (id >= size) fail("USED_ID_RANGE");
    struct shadow *shadow = &driver[id];
    if (!shadow->count) fail("USED_ID_NOT_INFLIGHT");
    if (element.length > shadow->writable) fail("USED_LEN_OVERFLOW");
    used[i] = (struct used){id | (uint32_t)shadow->generation << 16, element.length};
    shadow->generation = (uint16_t)next_generation(shadow->generation);
    freed += shadow->count;
    shadow->count = 0;
    driver[shadow->last].link = (uint16_t)head;
    head = id;
  }
  queue->free_head = head;
  queue->free_count += freed;
  queue->in_flight -= limit;
  queue->driver_used_idx = (uint16_t)(idx + limit);
  return limit;
}
