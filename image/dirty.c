// Memory load for a partition: dirty MEGABYTES MB_PER_SECOND
// Fills MEGABYTES of memory with bytes that do not compress and then rewrites it from end to end again and again, all bytes of every page, at
// MB_PER_SECOND (0: fills and holds). Says once a second what it really did, which is less where the processor is the limit.
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { STEP = 64 << 10, PAUSE_NS = 10 * 1000 * 1000 };
#define MADE_UP_S (2 * PAUSE_NS / 1e9)

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec + at.tv_nsec / 1e9;
}

static uint64_t state = 0x9e3779b97f4a7c15;
static uint64_t next(void) { // xorshift64
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

static long number(const char *text, long max) {
  char *end;
  errno = 0;
  long value = strtol(text, &end, 10);
  if (errno || *end || end == text || value < 0 || value > max) {
    fprintf(stderr, "dirty: %s is not a number from 0 to %ld\n", text, max);
    exit(2);
  }
  return value;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: dirty MEGABYTES MB_PER_SECOND\n");
    return 2;
  }
  size_t words = (size_t)number(argv[1], 1 << 20) * (1 << 20) / sizeof(uint64_t);
  double rate = number(argv[2], 1 << 20) * 1048576.0;
  if (words == 0) {
    fprintf(stderr, "dirty: at least 1 megabyte\n");
    return 2;
  }
  uint64_t *memory = mmap(NULL, words * sizeof *memory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    perror("dirty: memory");
    return 1;
  }
  struct timespec seed;
  clock_gettime(CLOCK_REALTIME, &seed);
  state ^= (uint64_t)seed.tv_nsec << 32 ^ seed.tv_sec;
  for (size_t at = 0; at < words; at++) memory[at] = next();
  printf("filled %zu MB\n", words * sizeof *memory >> 20);
  fflush(stdout);

  size_t at = 0;
  double begun = now(), said = begun, done = 0, before = 0;
  for (;;) {
    double time = now();
    // At most two pauses are made up for: a partition that was stopped or slowed down loses that time, as a program does whose work is bound by its processor.
    if ((time - begun) * rate > done + MADE_UP_S * rate) begun = time - (done / rate + MADE_UP_S);
    while (rate > 0 && done < (time - begun) * rate) {
      uint64_t change = next();
      for (size_t end = at + STEP / sizeof *memory; at < end; at++) memory[at] ^= change; // stays as incompressible as it was
      if (at >= words) at = 0;
      done += STEP;
    }
    if (time - said >= 1) {
      printf("%.1f MB/s\n", (done - before) / (time - said) / 1048576);
      fflush(stdout);
      said = time;
      before = done;
    }
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
  }
}
