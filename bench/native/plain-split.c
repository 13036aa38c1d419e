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

struct chain_segment {
  uint64_t address;
  uint32_t length;
};

struct queue {
  struct guest guest;
  uint32_t size;
  struct desc *table;
  struct avail *avail;
  struct used_ring *used;
  uint64_t tables;
  /* Driver half. */
  uint16_t *link_to, *generation, *count_of, *last_of;
  uint64_t *writable_of;
  uint32_t free_head, free_count, in_flight;
  uint16_t avail_idx, driver_used_idx;
  /* Device half. */
  uint16_t *device_generation;
  uint8_t *taken;
  uint64_t *device_writable;
  uint16_t next_avail_idx, used_idx, pending_used;
  /* The chain that `walk` read last. */
  struct chain_segment *segments;
  uint32_t readable_count, writable_count;
};

struct queue *queue_set_up(struct guest guest, struct areas areas, uint32_t size) {
  struct queue *queue = allocate(1, sizeof *queue);
  queue->guest = guest;
  queue->size = size;
  queue->table = translate(guest, areas.descriptor, size * sizeof *queue->table);
  queue->avail = translate(guest, areas.driver, 6 + 2 * size);
  queue->used = translate(guest, areas.device, 6 + 8 * size);
  queue->tables = areas.tables;
  queue->link_to = allocate(size, sizeof *queue->link_to);
  queue->generation = allocate(size, sizeof *queue->generation);
  queue->count_of = allocate(size, sizeof *queue->count_of);
  queue->last_of = allocate(size, sizeof *queue->last_of);
  queue->writable_of = allocate(size, sizeof *queue->writable_of);
  queue->device_generation = allocate(size, sizeof *queue->device_generation);
  queue->taken = allocate(size, sizeof *queue->taken);
  queue->device_writable = allocate(size, sizeof *queue->device_writable);
  queue->segments = allocate(size + INDIRECT_MAX, sizeof *queue->segments);
  for (uint32_t slot = 0; slot < size; slot++) {
    queue->link_to[slot] = (uint16_t)((slot + 1) % size);
    queue->generation[slot] = queue->device_generation[slot] = 1;
  }
  queue->free_count = size;
  return queue;
}

static uint32_t place_direct(struct queue *queue, const struct submission *submission, uint32_t head,
                             uint32_t count) {
  uint32_t slot = head;
  for (uint32_t i = 0;; i++) {
    const struct segment *segment = &submission->segments[i];
    uint16_t write = i < submission->readable ? 0 : VIRTQ_DESC_F_WRITE;
    bool more = i + 1 < count;
    uint16_t next = more ? queue->link_to[slot] : 0;
    struct desc *desc = &queue->table[slot];
    desc->address = segment->address;
    desc->length = segment->length;
    desc->third = more ? write | VIRTQ_DESC_F_NEXT : write;
    desc->fourth = next;
    if (!more) return slot;
    slot = next;
  }
}

static uint32_t place_table(struct queue *queue, const struct submission *submission, uint32_t head,
                            uint32_t count) {
  uint64_t at = queue->tables + head * TABLE_ENTRIES * 16;
  struct desc *entries = (struct desc *)(queue->guest.bytes + at);
  for (uint32_t i = 0; i < count; i++) {
    uint16_t write = i < submission->readable ? 0 : VIRTQ_DESC_F_WRITE;
    bool more = i + 1 < count;
    entries[i].address = submission->segments[i].address;
    entries[i].length = submission->segments[i].length;
    entries[i].third = more ? write | VIRTQ_DESC_F_NEXT : write;
    entries[i].fourth = more ? (uint16_t)(i + 1) : 0;
  }
  struct desc *desc = &queue->table[head];
  desc->address = at;
  desc->length = count * 16;
  desc->third = VIRTQ_DESC_F_INDIRECT;
  desc->fourth = 0;
  return head;
}

static uint32_t add(struct queue *queue, const struct submission *submission) {
  uint32_t readable = submission->readable;
  uint32_t count = readable + submission->writable;
  if (count == 0) fail("a chain has at least one element");
  bool indirect = submission->indirect != 0;
  if (count > (indirect ? TABLE_ENTRIES : queue->size)) fail("CHAIN_TOO_LONG");
  uint64_t total = 0, writable = 0;
  for (uint32_t i = 0; i < count; i++) {
    const struct segment *segment = &submission->segments[i];
    if (!in_guest(queue->guest, segment->address, segment->length)) fail("BAD_ARGUMENT");
    total += segment->length;
    if (i >= readable) writable += segment->length;
  }
  if (total > CHAIN_BYTES_MAX) fail("CHAIN_BYTES_OVERFLOW");
  uint32_t needed = indirect ? 1 : count;
  if (needed > queue->free_count) return 0;
  uint32_t head = queue->free_head;
  uint32_t last = indirect ? place_table(queue, submission, head, count) : place_direct(queue, submission, head, count);
  queue->free_head = queue->link_to[last];
  queue->free_count -= needed;
  queue->count_of[head] = (uint16_t)needed;
  queue->last_of[head] = (uint16_t)last;
  queue->writable_of[head] = writable;
  queue->avail->ring[queue->avail_idx & (queue->size - 1)] = (uint16_t)head;
  queue->avail_idx++;
  queue->in_flight++;
  return head | (uint32_t)queue->generation[head] << 16;
}

uint32_t queue_submit(struct queue *queue, struct submissions submissions, uint32_t *tokens) {
  for (uint32_t i = 0; i < submissions.count; i++) {
    uint32_t token = add(queue, submission_at(submissions, i));
    if (token == 0) return i;
    tokens[i] = token;
  }
  *(volatile uint16_t *)&queue->avail->idx = queue->avail_idx;
  (void)(*(volatile uint16_t *)&queue->used->flags & VIRTQ_USED_F_NO_NOTIFY);
  return submissions.count;
}

static uint32_t available(struct queue *queue) {
  uint16_t newly = (uint16_t)(*(volatile uint16_t *)&queue->avail->idx - queue->next_avail_idx);
  uint16_t published = (uint16_t)(queue->used_idx - queue->pending_used);
  if (newly + (uint16_t)(queue->next_avail_idx - published) > queue->size) fail("RING_INDEX_JUMP");
  return newly;
}

static void judge_table(const struct queue *queue, const struct desc *desc) {
  if (desc->third & VIRTQ_DESC_F_NEXT) fail("INDIRECT_WITH_NEXT");
  if (desc->length == 0 || desc->length % 16 != 0) fail("INDIRECT_BAD_SIZE");
  if (desc->length > 16 * INDIRECT_MAX) fail("INDIRECT_TOO_LONG");
  if (!in_guest(queue->guest, desc->address, desc->length)) fail("INDIRECT_OUT_OF_GUEST");
}

/* Follows `next` in the ring, and in the table that an indirect descriptor names; gives the writable bytes. */
static uint64_t walk(struct queue *queue, uint32_t head) {
  const struct desc *list = queue->table;
  uint32_t entries = queue->size, slot = head, readable_count = 0, writable_count = 0;
  bool is_table = false;
  uint64_t readable_bytes = 0, writable_bytes = 0;
  struct chain_segment *segment = queue->segments;
  for (uint32_t visited = 1;; visited++) {
    struct desc desc = list[slot];
    if (desc.third & VIRTQ_DESC_F_INDIRECT) {
      if (is_table) fail("INDIRECT_NESTED");
      judge_table(queue, &desc);
      list = (const struct desc *)(queue->guest.bytes + desc.address);
      entries = desc.length / 16;
      slot = 0;
      is_table = true;
      visited = 0;
      continue;
    }
    bool write = (desc.third & VIRTQ_DESC_F_WRITE) != 0;
    if (!write && writable_count > 0) fail("DESC_ORDER");
    if (desc.length != 0) {
      if (!in_guest(queue->guest, desc.address, desc.length)) fail("DESC_OUT_OF_GUEST");
      if (readable_bytes + writable_bytes + desc.length > CHAIN_BYTES_MAX) fail("CHAIN_BYTES_OVERFLOW");
      segment->address = desc.address;
      segment->length = desc.length;
      segment++;
      if (write) {
        writable_count++;
        writable_bytes += desc.length;
      } else {
        readable_count++;
        readable_bytes += desc.length;
      }
    }
    if (!(desc.third & VIRTQ_DESC_F_NEXT)) break;
    slot = desc.fourth;
    if (slot >= entries) fail("DESC_NEXT_RANGE");
    if (visited == entries) fail("CHAIN_TOO_LONG");
  }
  queue->readable_count = readable_count;
  queue->writable_count = writable_count;
  return writable_bytes;
}

static uint32_t take(struct queue *queue) {
  uint32_t head = queue->avail->ring[queue->next_avail_idx & (queue->size - 1)];
  if (head >= queue->size) fail("DESC_INDEX_RANGE");
  if (queue->taken[head]) fail("HEAD_IN_FLIGHT");
  queue->device_writable[head] = walk(queue, head);
  queue->next_avail_idx++;
  queue->taken[head] = 1;
  return head | (uint32_t)queue->device_generation[head] << 16;
}

static void complete(struct queue *queue, uint32_t token, uint32_t written) {
  uint32_t slot = token & 0xffff;
  if (slot >= queue->size || !queue->taken[slot]) fail("COMPLETE_UNKNOWN");
  uint32_t generation = queue->device_generation[slot];
  if (generation != token >> 16) fail("STALE_TOKEN");
  if (written > queue->device_writable[slot]) fail("COMPLETE_LEN_OVERFLOW");
  queue->taken[slot] = 0;
  queue->device_generation[slot] = (uint16_t)next_generation(generation);
  struct used_element *element = &queue->used->ring[queue->used_idx & (queue->size - 1)];
  element->id = slot;
  element->length = written;
  queue->used_idx++;
  queue->pending_used++;
}

static void publish_used(struct queue *queue) {
  *(volatile uint16_t *)&queue->used->idx = queue->used_idx;
  queue->pending_used = 0;
  (void)(*(volatile uint16_t *)&queue->avail->flags & VIRTQ_AVAIL_F_NO_INTERRUPT);
}

uint32_t queue_serve(struct queue *queue, uint32_t budget) {
  uint32_t newly = available(queue);
  uint32_t limit = newly < budget ? newly : budget;
  for (uint32_t i = 0; i < limit; i++) complete(queue, take(queue), 0);
  publish_used(queue);
  return limit;
}

uint32_t queue_witness(struct queue *queue, uint32_t budget, uint32_t *seen) {
  uint32_t newly = available(queue);
  uint32_t limit = newly < budget ? newly : budget;
  for (uint32_t i = 0; i < limit; i++) {
    uint32_t token = take(queue);
    for (uint32_t s = 0; s < queue->readable_count + queue->writable_count; s++) {
      const struct chain_segment *segment = &queue->segments[s];
      *seen += seen_of((uint32_t)segment->address, segment->length, s >= queue->readable_count);
    }
    complete(queue, token, 0);
  }
  publish_used(queue);
  return limit;
}

uint32_t queue_reclaim(struct queue *queue, uint32_t budget, struct used *used) {
  uint16_t newly = (uint16_t)(*(volatile uint16_t *)&queue->used->idx - queue->driver_used_idx);
  if (newly > queue->in_flight) fail("USED_INDEX_JUMP");
  uint32_t limit = newly < budget ? newly : budget;
  for (uint32_t i = 0; i < limit; i++) {
    struct used_element element = queue->used->ring[queue->driver_used_idx & (queue->size - 1)];
    uint32_t id = element.id;
    if (id >= queue->size) fail("USED_ID_RANGE");
    if (queue->count_of[id] == 0) fail("USED_ID_NOT_INFLIGHT");
    if (element.length > queue->writable_of[id]) fail("USED_LEN_OVERFLOW");
    uint32_t generation = queue->generation[id];
    used[i].token = id | generation << 16;
    used[i].length = element.length;
    queue->generation[id] = (uint16_t)next_generation(generation);
    queue->free_count += queue->count_of[id];
    queue->count_of[id] = 0;
    queue->link_to[queue->last_of[id]] = (uint16_t)queue->free_head;
    queue->free_head = id;
    queue->in_flight--;
    queue->driver_used_idx++;
  }
  return limit;
}
