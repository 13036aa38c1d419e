/*
 * The measuring side of a native ring. Arguments: queue size, batch, words of one submission. Stdin: the submission
 * records as numbers, then the chains of each run; for each run one line "ns used seen" comes out.
 */
#define _POSIX_C_SOURCE 199309L
#include "ring.h"
#include <time.h>

enum { SUBMISSION_BYTES_MAX = 80 };

static uint8_t guest_bytes[GUEST_BYTES] __attribute__((aligned(4096)));
static uint8_t records[QUEUE_MAX * SUBMISSION_BYTES_MAX] __attribute__((aligned(64)));
static uint32_t tokens[QUEUE_MAX];
static struct used used[QUEUE_MAX];

void fail(const char *code) {
  fprintf(stderr, "%s\n", code);
  exit(1);
}

void *allocate(size_t count, size_t bytes) {
  void *memory = calloc(count, bytes);
  if (memory == NULL) fail("out of memory");
  return memory;
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint32_t used_lengths(uint32_t batch) {
  uint32_t lengths = 0;
  for (uint32_t i = 0; i < batch; i++) {
    if (used[i].token != tokens[i]) fail("another token came back");
    lengths += used[i].length;
  }
  return lengths;
}

static uint64_t run(struct queue *queue, struct submissions submissions, uint64_t rounds) {
  uint32_t batch = submissions.count;
  uint64_t start = now();
  for (uint64_t round = 0; round < rounds; round++) {
    if (queue_submit(queue, submissions, tokens) != batch) fail("the ring was full");
    if (queue_serve(queue, batch) != batch) fail("a chain was not served");
    if (queue_reclaim(queue, batch, used) != batch) fail("a chain did not come back");
  }
  return now() - start;
}

/* One more batch, served by a device that tells what it was given. */
static uint32_t prove(struct queue *queue, struct submissions submissions) {
  uint32_t batch = submissions.count, seen = 0;
  queue_submit(queue, submissions, tokens);
  queue_witness(queue, batch, &seen);
  queue_reclaim(queue, batch, used);
  used_lengths(batch);
  return seen;
}

int main(int argc, char **argv) {
  if (argc != 4) fail("usage: ring QUEUE-SIZE BATCH SUBMISSION-WORDS");
  uint32_t queue_size = (uint32_t)atoi(argv[1]), batch = (uint32_t)atoi(argv[2]), words = (uint32_t)atoi(argv[3]);
  struct submissions submissions = {records, words * 4, batch};
  if (queue_size > QUEUE_MAX || batch > QUEUE_MAX || submissions.bytes > SUBMISSION_BYTES_MAX) fail("too large");
  for (uint32_t i = 0; i < words * batch; i++) {
    uint32_t word;
    if (scanf("%u", &word) != 1) fail("a submission is missing");
    memcpy(records + 4 * (size_t)i, &word, 4);
  }
  struct guest guest = {guest_bytes, GUEST_BYTES};
  struct areas areas = {DESCRIPTOR_AREA, DRIVER_AREA, DEVICE_AREA, TABLES};
  struct queue *queue = queue_set_up(guest, areas, queue_size);
  unsigned long long chains;
  while (scanf("%llu", &chains) == 1) {
    uint64_t ns = run(queue, submissions, chains / batch);
    uint32_t lengths = used_lengths(batch);
    uint32_t seen = prove(queue, submissions);
    printf("%llu %u %u\n", (unsigned long long)ns, lengths, seen);
    fflush(stdout);
  }
  return 0;
}
