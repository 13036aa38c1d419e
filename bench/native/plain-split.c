/*
 * The split virtqueue (§2.7) in C: the obvious algorithm, with every check and token of the JavaScript ring
 * (bench/rings/js-plain-split.ts), statement for statement.
 */
#include "ring.h"

struct avail {
  uint16_t flags;
  uint16_t idx;
  uint16_t ring[];
};

struct used_element {
  uint32_t id;
  uint32_t length;
};

struct used_ring {
  uint16_t flags;
  uint16_t idx;
  struct used_element ring[];
};

static struct desc *const table = (struct desc *)(guest + DESCRIPTOR_AREA);
static struct avail *const avail = (struct avail *)(guest + DRIVER_AREA);
static struct used_ring *const used = (struct used_ring *)(guest + DEVICE_AREA);

/* Driver half. */
static uint16_t link_to[QUEUE_MAX], generation[QUEUE_MAX], count_of[QUEUE_MAX], last_of[QUEUE_MAX];
static uint64_t writable_of[QUEUE_MAX];
static uint32_t free_head, free_count, in_flight;
static uint16_t avail_idx, driver_used_idx;

/* Device half. */
static uint16_t device_generation[QUEUE_MAX];
static uint8_t taken[QUEUE_MAX];
static uint64_t device_writable[QUEUE_MAX];
static uint16_t next_avail_idx, used_idx, pending_used;

/* The chain that `take` read last. */
static struct { uint64_t address; uint32_t length; } segments[2 * QUEUE_MAX];
static uint32_t readable_count, writable_count;
static uint64_t readable_bytes, writable_bytes;

void ring_reset(void) {
  for (uint32_t slot = 0; slot < queue_size; slot++) {
    link_to[slot] = (uint16_t)((slot + 1) % queue_size);
    generation[slot] = device_generation[slot] = 1;
  }
  free_count = queue_size;
}

static uint32_t place_direct(const struct submission *submission, uint32_t head, uint32_t count) {
  uint32_t slot = head;
  for (uint32_t i = 0;; i++) {
    const struct segment *segment = &submission->segments[i];
    uint16_t write = i < submission->readable ? 0 : VIRTQ_DESC_F_WRITE;
    bool more = i + 1 < count;
    uint16_t next = more ? link_to[slot] : 0;
    table[slot].address = segment->address;
    table[slot].length = segment->length;
    table[slot].third = more ? write | VIRTQ_DESC_F_NEXT : write;
    table[slot].fourth = next;
    if (!more) return slot;
    slot = next;
  }
}

static uint32_t place_table(const struct submission *submission, uint32_t head, uint32_t count) {
  uint32_t at = TABLES + head * TABLE_ENTRIES * 16;
  struct desc *entries = (struct desc *)(guest + at);
  for (uint32_t i = 0; i < count; i++) {
    uint16_t write = i < submission->readable ? 0 : VIRTQ_DESC_F_WRITE;
    bool more = i + 1 < count;
    entries[i].address = submission->segments[i].address;
    entries[i].length = submission->segments[i].length;
    entries[i].third = more ? write | VIRTQ_DESC_F_NEXT : write;
    entries[i].fourth = more ? (uint16_t)(i + 1) : 0;
  }
  table[head].address = at;
  table[head].length = count * 16;
  table[head].third = VIRTQ_DESC_F_INDIRECT;
  table[head].fourth = 0;
  return head;
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
  uint32_t head = free_head;
  uint32_t last = indirect ? place_table(submission, head, count) : place_direct(submission, head, count);
  free_head = link_to[last];
  free_count -= needed;
  count_of[head] = (uint16_t)needed;
  last_of[head] = (uint16_t)last;
  writable_of[head] = writable;
  avail->ring[avail_idx & (queue_size - 1)] = (uint16_t)head;
  avail_idx++;
  in_flight++;
  return head | (uint32_t)generation[head] << 16;
}

uint32_t ring_submit(void) {
  for (uint32_t i = 0; i < batch; i++) {
    uint32_t token = add(submission_at(i));
    if (token == 0) return i;
    tokens[i] = token;
  }
  *(volatile uint16_t *)&avail->idx = avail_idx;
  if (*(volatile uint16_t *)&used->flags & VIRTQ_USED_F_NO_NOTIFY) return batch;
  return batch;
}

static uint32_t available(void) {
  uint16_t newly = (uint16_t)(*(volatile uint16_t *)&avail->idx - next_avail_idx);
  uint16_t published = (uint16_t)(used_idx - pending_used);
  if (newly + (uint16_t)(next_avail_idx - published) > queue_size) fail("RING_INDEX_JUMP");
  return newly;
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
  uint32_t entry = 0;
  for (uint32_t visited = 1;; visited++) {
    struct desc desc = list[entry];
    if (desc.third & VIRTQ_DESC_F_INDIRECT) fail("INDIRECT_NESTED");
    push(desc.address, desc.length, desc.third);
    if (!(desc.third & VIRTQ_DESC_F_NEXT)) return;
    entry = desc.fourth;
    if (entry >= entries) fail("DESC_NEXT_RANGE");
    if (visited == entries) fail("CHAIN_TOO_LONG");
  }
}

static void walk(uint32_t head) {
  uint32_t slot = head;
  for (uint32_t visited = 1;; visited++) {
    struct desc desc = table[slot];
    if (desc.third & VIRTQ_DESC_F_INDIRECT) {
      if (desc.third & VIRTQ_DESC_F_NEXT) fail("INDIRECT_WITH_NEXT");
      walk_table(desc.address, desc.length);
      return;
    }
    push(desc.address, desc.length, desc.third);
    if (!(desc.third & VIRTQ_DESC_F_NEXT)) return;
    slot = desc.fourth;
    if (slot >= queue_size) fail("DESC_NEXT_RANGE");
    if (visited == queue_size) fail("CHAIN_TOO_LONG");
  }
}

static uint32_t take(void) {
  uint32_t head = avail->ring[next_avail_idx & (queue_size - 1)];
  if (head >= queue_size) fail("DESC_INDEX_RANGE");
  if (taken[head]) fail("HEAD_IN_FLIGHT");
  readable_count = writable_count = 0;
  readable_bytes = writable_bytes = 0;
  walk(head);
  next_avail_idx++;
  taken[head] = 1;
  device_writable[head] = writable_bytes;
  return head | (uint32_t)device_generation[head] << 16;
}

static void complete(uint32_t token, uint32_t written) {
  uint32_t slot = token & 0xffff;
  if (slot >= queue_size || !taken[slot]) fail("COMPLETE_UNKNOWN");
  if (device_generation[slot] != token >> 16) fail("STALE_TOKEN");
  if (written > device_writable[slot]) fail("COMPLETE_LEN_OVERFLOW");
  taken[slot] = 0;
  device_generation[slot] = (uint16_t)next_generation(device_generation[slot]);
  struct used_element *element = &used->ring[used_idx & (queue_size - 1)];
  element->id = slot;
  element->length = written;
  used_idx++;
  pending_used++;
}

static uint32_t publish_used(uint32_t served) {
  *(volatile uint16_t *)&used->idx = used_idx;
  pending_used = 0;
  if (*(volatile uint16_t *)&avail->flags & VIRTQ_AVAIL_F_NO_INTERRUPT) return served;
  return served;
}

uint32_t ring_serve(void) {
  uint32_t newly = available();
  uint32_t limit = newly < batch ? newly : batch;
  for (uint32_t i = 0; i < limit; i++) complete(take(), 0);
  return publish_used(limit);
}

uint32_t ring_witness(uint32_t *seen) {
  uint32_t newly = available();
  uint32_t limit = newly < batch ? newly : batch;
  for (uint32_t i = 0; i < limit; i++) {
    uint32_t token = take();
    for (uint32_t s = 0; s < readable_count + writable_count; s++)
      *seen += seen_of((uint32_t)segments[s].address, segments[s].length, s >= readable_count);
    complete(token, 0);
  }
  return publish_used(limit);
}

uint32_t ring_reclaim(void) {
  uint16_t newly = (uint16_t)(*(volatile uint16_t *)&used->idx - driver_used_idx);
  if (newly > in_flight) fail("USED_INDEX_JUMP");
  uint32_t limit = newly < batch ? newly : batch;
  for (uint32_t i = 0; i < limit; i++) {
    struct used_element element = used->ring[driver_used_idx & (queue_size - 1)];
    if (element.id >= queue_size) fail("USED_ID_RANGE");
    if (count_of[element.id] == 0) fail("USED_ID_NOT_INFLIGHT");
    if (element.length > writable_of[element.id]) fail("USED_LEN_OVERFLOW");
    used_records[i].token = element.id | (uint32_t)generation[element.id] << 16;
    used_records[i].length = element.length;
    generation[element.id] = (uint16_t)next_generation(generation[element.id]);
    free_count += count_of[element.id];
    count_of[element.id] = 0;
    link_to[last_of[element.id]] = (uint16_t)free_head;
    free_head = element.id;
    in_flight--;
    driver_used_idx++;
  }
  return limit;
}
