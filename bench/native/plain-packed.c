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

struct chain_segment {
  uint64_t address;
  uint32_t length;
};

struct queue {
  struct guest guest;
  uint32_t size;
  struct desc *ring;
  volatile struct event *driver_event, *device_event;
  uint64_t tables;
  /* Driver half; its per-chain state goes by buffer ID. */
  uint16_t *link_to, *generation, *count_of;
  uint64_t *writable_of;
  uint32_t free_id, free_count, avail_slot, used_slot;
  bool avail_wrap, used_wrap;
  int32_t pending_slot;
  uint16_t pending_flags;
  /* Device half; its per-chain state goes by a number of its own, free ones being linked. */
  uint16_t *device_link, *device_generation, *device_count, *device_id;
  uint64_t *device_writable;
  uint32_t take_slot, device_free, device_in_flight, device_used_slot;
  bool take_wrap, device_used_wrap;
  int32_t device_pending_slot;
  uint16_t device_pending_flags;
  /* The chain that `take` read last. */
  struct chain_segment *segments;
  uint32_t segment_count, writable_count;
  uint64_t bytes, writable_bytes;
};

struct queue *queue_set_up(struct guest guest, struct areas areas, uint32_t size) {
  struct queue *queue = allocate(1, sizeof *queue);
  queue->guest = guest;
  queue->size = size;
  queue->ring = translate(guest, areas.descriptor, size * sizeof *queue->ring);
  queue->driver_event = translate(guest, areas.driver, sizeof *queue->driver_event);
  queue->device_event = translate(guest, areas.device, sizeof *queue->device_event);
  queue->tables = areas.tables;
  queue->link_to = allocate(size, sizeof *queue->link_to);
  queue->generation = allocate(size, sizeof *queue->generation);
  queue->count_of = allocate(size, sizeof *queue->count_of);
  queue->writable_of = allocate(size, sizeof *queue->writable_of);
  queue->device_link = allocate(size, sizeof *queue->device_link);
  queue->device_generation = allocate(size, sizeof *queue->device_generation);
  queue->device_count = allocate(size, sizeof *queue->device_count);
  queue->device_id = allocate(size, sizeof *queue->device_id);
  queue->device_writable = allocate(size, sizeof *queue->device_writable);
  queue->segments = allocate(size + INDIRECT_MAX, sizeof *queue->segments);
  for (uint32_t slot = 0; slot < size; slot++) {
    queue->link_to[slot] = queue->device_link[slot] = (uint16_t)((slot + 1) % size);
    queue->generation[slot] = queue->device_generation[slot] = 1;
  }
  queue->free_count = size;
  queue->avail_wrap = queue->used_wrap = queue->take_wrap = queue->device_used_wrap = true;
  queue->pending_slot = queue->device_pending_slot = -1;
  return queue;
}

static uint16_t load_flags(const struct queue *queue, uint32_t slot) {
  return *(volatile uint16_t *)&queue->ring[slot].fourth;
}

static void store_flags(struct queue *queue, uint32_t slot, uint16_t flags) {
  *(volatile uint16_t *)&queue->ring[slot].fourth = flags;
}

/* Writes the next ring descriptor; the flags of the first one since `publish` wait for it. */
static void place_desc(struct queue *queue, uint64_t address, uint32_t length, uint32_t id, uint16_t kind) {
  uint32_t slot = queue->avail_slot;
  uint16_t flags = (uint16_t)(kind | (queue->avail_wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED));
  queue->ring[slot].address = address;
  queue->ring[slot].length = length;
  queue->ring[slot].third = (uint16_t)id;
  if (queue->pending_slot < 0) {
    queue->pending_slot = (int32_t)slot;
    queue->pending_flags = flags;
  } else {
    store_flags(queue, slot, flags);
  }
  if (slot + 1 == queue->size) {
    queue->avail_slot = 0;
    queue->avail_wrap = !queue->avail_wrap;
  } else {
    queue->avail_slot = slot + 1;
  }
}

static void place_direct(struct queue *queue, const struct submission *submission, uint32_t id, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    uint16_t write = i < submission->readable ? 0 : VIRTQ_DESC_F_WRITE;
    uint16_t more = i + 1 < count ? VIRTQ_DESC_F_NEXT : 0;
    place_desc(queue, submission->segments[i].address, submission->segments[i].length, id, write | more);
  }
}

static void place_table(struct queue *queue, const struct submission *submission, uint32_t id, uint32_t count) {
  uint64_t at = queue->tables + id * TABLE_ENTRIES * 16;
  struct desc *entries = (struct desc *)(queue->guest.bytes + at);
  for (uint32_t i = 0; i < count; i++) {
    entries[i].address = submission->segments[i].address;
    entries[i].length = submission->segments[i].length;
    entries[i].third = 0;
    entries[i].fourth = i < submission->readable ? 0 : VIRTQ_DESC_F_WRITE;
  }
  place_desc(queue, at, count * 16, id, VIRTQ_DESC_F_INDIRECT);
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
  uint32_t id = queue->free_id;
  if (indirect) place_table(queue, submission, id, count);
  else place_direct(queue, submission, id, count);
  queue->free_id = queue->link_to[id];
  queue->free_count -= needed;
  queue->count_of[id] = (uint16_t)needed;
  queue->writable_of[id] = writable;
  return id | (uint32_t)queue->generation[id] << 16;
}

uint32_t queue_submit(struct queue *queue, struct submissions submissions, uint32_t *tokens) {
  for (uint32_t i = 0; i < submissions.count; i++) {
    uint32_t token = add(queue, submission_at(submissions, i));
    if (token == 0) return i;
    tokens[i] = token;
  }
  if (queue->pending_slot < 0) return submissions.count;
  store_flags(queue, (uint32_t)queue->pending_slot, queue->pending_flags);
  queue->pending_slot = -1;
  (void)(queue->device_event->flags == RING_EVENT_FLAGS_DISABLE);
  return submissions.count;
}

static void push(struct queue *queue, const struct desc *desc, uint16_t flags) {
  uint64_t address = desc->address;
  uint32_t length = desc->length;
  bool write = (flags & VIRTQ_DESC_F_WRITE) != 0;
  if (!write && queue->writable_count > 0) fail("DESC_ORDER");
  if (length == 0) return;
  if (!in_guest(queue->guest, address, length)) fail("DESC_OUT_OF_GUEST");
  uint64_t bytes = queue->bytes + length;
  if (bytes > CHAIN_BYTES_MAX) fail("CHAIN_BYTES_OVERFLOW");
  queue->bytes = bytes;
  struct chain_segment *segment = &queue->segments[queue->segment_count++];
  segment->address = address;
  segment->length = length;
  if (write) {
    queue->writable_count++;
    queue->writable_bytes += length;
  }
}

static void walk_table(struct queue *queue, const struct desc *indirect, uint16_t flags, uint32_t count) {
  uint64_t address = indirect->address;
  uint32_t length = indirect->length;
  if (flags & VIRTQ_DESC_F_NEXT || count > 1) fail("INDIRECT_WITH_NEXT");
  if (length == 0 || length % 16 != 0) fail("INDIRECT_BAD_SIZE");
  uint32_t entries = length / 16;
  if (entries > INDIRECT_MAX) fail("INDIRECT_TOO_LONG");
  if (!in_guest(queue->guest, address, length)) fail("INDIRECT_OUT_OF_GUEST");
  const struct desc *list = (const struct desc *)(queue->guest.bytes + address);
  for (uint32_t entry = 0; entry < entries; entry++) push(queue, &list[entry], list[entry].fourth);
}

/* Takes the chain at the take position, if it is available; its token, or 0. */
static uint32_t take(struct queue *queue) {
  uint32_t chain = queue->device_free;
  uint32_t slot = queue->take_slot;
  bool wrap = queue->take_wrap;
  uint32_t count = 0;
  queue->segment_count = queue->writable_count = 0;
  queue->bytes = queue->writable_bytes = 0;
  for (;;) {
    const struct desc *desc = &queue->ring[slot];
    uint16_t flags = load_flags(queue, slot);
    if ((flags & AVAIL_AND_USED) != (wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED)) {
      if (count == 0) return 0;
      fail("PACKED_NOT_AVAILABLE");
    }
    count++;
    if (queue->device_in_flight + count > queue->size) fail("RING_INDEX_JUMP");
    if (flags & VIRTQ_DESC_F_INDIRECT) walk_table(queue, desc, flags, count);
    else push(queue, desc, flags);
    slot++;
    if (slot == queue->size) {
      slot = 0;
      wrap = !wrap;
    }
    if (!(flags & VIRTQ_DESC_F_NEXT)) {
      queue->device_id[chain] = desc->third;
      break;
    }
    if (count == queue->size) fail("CHAIN_TOO_LONG");
  }
  queue->take_slot = slot;
  queue->take_wrap = wrap;
  queue->device_in_flight += count;
  queue->device_free = queue->device_link[chain];
  queue->device_count[chain] = (uint16_t)count;
  queue->device_writable[chain] = queue->writable_bytes;
  return chain | (uint32_t)queue->device_generation[chain] << 16;
}

static void complete(struct queue *queue, uint32_t token, uint32_t written) {
  uint32_t chain = token & 0xffff;
  if (chain >= queue->size || queue->device_count[chain] == 0) fail("COMPLETE_UNKNOWN");
  uint32_t count = queue->device_count[chain];
  if (queue->device_generation[chain] != token >> 16) fail("STALE_TOKEN");
  if (written > queue->device_writable[chain]) fail("COMPLETE_LEN_OVERFLOW");
  queue->device_count[chain] = 0;
  queue->device_in_flight -= count;
  queue->device_generation[chain] = (uint16_t)next_generation(queue->device_generation[chain]);
  queue->device_link[chain] = (uint16_t)queue->device_free;
  queue->device_free = chain;
  uint32_t slot = queue->device_used_slot;
  uint16_t flags = (uint16_t)((queue->device_used_wrap ? AVAIL_AND_USED : 0) | (written > 0 ? VIRTQ_DESC_F_WRITE : 0));
  queue->ring[slot].length = written;
  queue->ring[slot].third = queue->device_id[chain];
  if (queue->device_pending_slot < 0) {
    queue->device_pending_slot = (int32_t)slot;
    queue->device_pending_flags = flags;
  } else {
    store_flags(queue, slot, flags);
  }
  uint32_t next = slot + count;
  if (next < queue->size) {
    queue->device_used_slot = next;
  } else {
    queue->device_used_slot = next - queue->size;
    queue->device_used_wrap = !queue->device_used_wrap;
  }
}

static void publish_used(struct queue *queue) {
  if (queue->device_pending_slot < 0) return;
  store_flags(queue, (uint32_t)queue->device_pending_slot, queue->device_pending_flags);
  queue->device_pending_slot = -1;
  (void)(queue->driver_event->flags == RING_EVENT_FLAGS_DISABLE);
}

uint32_t queue_serve(struct queue *queue, uint32_t budget) {
  uint32_t served = 0;
  for (; served < budget; served++) {
    uint32_t token = take(queue);
    if (token == 0) break;
    complete(queue, token, 0);
  }
  publish_used(queue);
  return served;
}

uint32_t queue_witness(struct queue *queue, uint32_t budget, uint32_t *seen) {
  uint32_t held[QUEUE_MAX], served = 0;
  for (; served < budget; served++) {
    held[served] = take(queue);
    if (held[served] == 0) break;
    uint32_t readable = queue->segment_count - queue->writable_count;
    for (uint32_t s = 0; s < queue->segment_count; s++) {
      const struct chain_segment *segment = &queue->segments[s];
      *seen += seen_of((uint32_t)segment->address, segment->length, s >= readable);
    }
  }
  for (uint32_t i = 0; i < served; i++) complete(queue, held[i], 0);
  publish_used(queue);
  return served;
}

uint32_t queue_reclaim(struct queue *queue, uint32_t budget, struct used *used) {
  uint32_t done = 0;
  for (; done < budget; done++) {
    uint32_t slot = queue->used_slot;
    uint16_t flags = load_flags(queue, slot);
    if ((flags & AVAIL_AND_USED) != (queue->used_wrap ? AVAIL_AND_USED : 0)) break;
    uint32_t id = queue->ring[slot].third;
    if (id >= queue->size) fail("USED_ID_RANGE");
    uint32_t count = queue->count_of[id];
    if (count == 0) fail("USED_ID_NOT_INFLIGHT");
    uint32_t length = flags & VIRTQ_DESC_F_WRITE ? queue->ring[slot].length : 0;
    if (length > queue->writable_of[id]) fail("USED_LEN_OVERFLOW");
    used[done].token = id | (uint32_t)queue->generation[id] << 16;
    used[done].length = length;
    queue->generation[id] = (uint16_t)next_generation(queue->generation[id]);
    queue->free_count += count;
    queue->count_of[id] = 0;
    queue->link_to[id] = (uint16_t)queue->free_id;
    queue->free_id = id;
    uint32_t next = slot + count;
    if (next < queue->size) {
      queue->used_slot = next;
    } else {
      queue->used_slot = next - queue->size;
      queue->used_wrap = !queue->used_wrap;
    }
  }
  return done;
}
