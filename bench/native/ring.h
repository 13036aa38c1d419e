/*
 * What the native rings share: the workload, guest RAM, and the round that main.c times. The submission records are
 * those of every other ring; numbers of the specification carry its names (§2.7, §2.8).
 */
#ifndef VIRTQ_BENCH_RING_H
#define VIRTQ_BENCH_RING_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  VIRTQ_DESC_F_NEXT = 1,
  VIRTQ_DESC_F_WRITE = 2,
  VIRTQ_DESC_F_INDIRECT = 4,
  VIRTQ_DESC_F_AVAIL = 1 << 7,
  VIRTQ_DESC_F_USED = 1 << 15,
  VIRTQ_AVAIL_F_NO_INTERRUPT = 1,
  VIRTQ_USED_F_NO_NOTIFY = 1,
  RING_EVENT_FLAGS_DISABLE = 1,
};

/* Where the parts lie in guest RAM; bench/workload.ts has the same numbers. */
enum {
  DESCRIPTOR_AREA = 0x1000,
  DRIVER_AREA = 0x6000,
  DEVICE_AREA = 0x8000,
  TABLES = 0x10000,
  TABLE_ENTRIES = 4,
  GUEST_BYTES = 1 << 20,
  QUEUE_MAX = 1024,
  GENERATION_MAX = 32767,
  INDIRECT_MAX = 1024,
};
#define CHAIN_BYTES_MAX 0x100000000ull

struct segment {
  uint64_t address;
  uint32_t length;
  uint32_t unused;
};

struct submission {
  uint32_t readable;
  uint32_t writable;
  uint32_t indirect;
  uint32_t unused;
  struct segment segments[];
};

struct used {
  uint32_t token;
  uint32_t length;
};

/* One descriptor: flags and next in a split ring, id and flags in a packed one. */
struct desc {
  uint64_t address;
  uint32_t length;
  uint16_t third;
  uint16_t fourth;
};

/* Guest RAM; address 0 is its first byte. */
struct guest {
  uint8_t *bytes;
  uint64_t length;
};

/* Guest addresses of a queue's areas and of its slab of indirect tables. */
struct areas {
  uint64_t descriptor;
  uint64_t driver;
  uint64_t device;
  uint64_t tables;
};

/* Submission records, each of so many bytes, one behind the other. */
struct submissions {
  const uint8_t *first;
  uint32_t bytes;
  uint32_t count;
};

/*
 * The ring's own part. Any number of queues may exist: where one lies in guest RAM is translated once, at set-up, and
 * all of its state hangs on it. Each verb gives the chains that it moved.
 */
struct queue;
struct queue *queue_set_up(struct guest guest, struct areas areas, uint32_t size);
uint32_t queue_submit(struct queue *queue, struct submissions submissions, uint32_t *tokens);
uint32_t queue_serve(struct queue *queue, uint32_t budget);
uint32_t queue_reclaim(struct queue *queue, uint32_t budget, struct used *used);
/* As serve, but sums up what the device was given. */
uint32_t queue_witness(struct queue *queue, uint32_t budget, uint32_t *seen);

/* A breach: the workload has none, so there is nobody to tell. */
_Noreturn void fail(const char *code);

/* Zeroed memory of the queue's own. */
void *allocate(size_t count, size_t bytes);

static inline const struct submission *submission_at(struct submissions submissions, uint32_t i) {
  return (const struct submission *)(submissions.first + (size_t)i * submissions.bytes);
}

static inline bool in_guest(struct guest guest, uint64_t address, uint64_t length) {
  return address <= guest.length && length <= guest.length - address;
}

static inline void *translate(struct guest guest, uint64_t address, uint64_t length) {
  if (!in_guest(guest, address, length)) fail("an area lies outside guest RAM");
  return guest.bytes + address;
}

static inline uint32_t next_generation(uint32_t generation) {
  return generation == GENERATION_MAX ? 1 : generation + 1;
}

static inline uint32_t seen_of(uint32_t address, uint32_t length, bool writable) {
  return address + 3 * length + writable;
}
#endif
