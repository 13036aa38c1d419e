/*
 * The measuring side of a native ring. Arguments: queue size, batch, words of one submission. Stdin: the submission
 * records as numbers, then the chains of each run; for each run one line "ns used seen" comes out.
 */
#define _POSIX_C_SOURCE 199309L
#include "ring.h"
#include <time.h>

uint8_t guest[GUEST_BYTES] __attribute__((aligned(4096)));
uint32_t queue_size;
uint32_t batch;
uint32_t submission_bytes;
uint8_t submissions[QUEUE_MAX * 80] __attribute__((aligned(64)));
uint32_t tokens[QUEUE_MAX];
struct used used_records[QUEUE_MAX];

void fail(const char *code) {
  fprintf(stderr, "%s\n", code);
  exit(1);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint32_t used_lengths(void) {
  uint32_t lengths = 0;
  for (uint32_t i = 0; i < batch; i++) {
    if (used_records[i].token != tokens[i]) fail("another token came back");
    lengths += used_records[i].length;
  }
  return lengths;
}

static uint64_t run(uint64_t rounds) {
  uint64_t start = now();
  for (uint64_t round = 0; round < rounds; round++) {
    if (ring_submit() != batch) fail("the ring was full");
    if (ring_serve() != batch) fail("a chain was not served");
    if (ring_reclaim() != batch) fail("a chain did not come back");
  }
  return now() - start;
}

int main(int argc, char **argv) {
  if (argc != 4) fail("usage: ring QUEUE-SIZE BATCH SUBMISSION-WORDS");
  queue_size = (uint32_t)atoi(argv[1]);
  batch = (uint32_t)atoi(argv[2]);
  uint32_t words = (uint32_t)atoi(argv[3]);
  submission_bytes = words * 4;
  if (queue_size > QUEUE_MAX || batch > QUEUE_MAX || submission_bytes > 80) fail("too large");
  for (uint32_t i = 0; i < words * batch; i++) {
    uint32_t word;
    if (scanf("%u", &word) != 1) fail("a submission is missing");
    memcpy(submissions + 4 * (size_t)i, &word, 4);
  }
  ring_reset();
  unsigned long long chains;
  while (scanf("%llu", &chains) == 1) {
    uint64_t ns = run(chains / batch);
    uint32_t used = used_lengths();
    uint32_t seen = 0;
    ring_submit();
    ring_witness(&seen);
    ring_reclaim();
    used_lengths();
    printf("%llu %u %u\n", (unsigned long long)ns, used, seen);
    fflush(stdout);
  }
  return 0;
}
