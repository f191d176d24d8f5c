// SPDX-License-Identifier: Apache-2.0
//
// The library that late-library.c loads.

#include <time.h>

static volatile unsigned long sink;

void spin_in_library(double duration) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  double end = now.tv_sec + now.tv_nsec / 1e9 + duration;
  do {
    for (int i = 0; i < 1000000; i++)
      sink = sink * 31 + i;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  } while (now.tv_sec + now.tv_nsec / 1e9 < end);
}
