// SPDX-License-Identifier: Apache-2.0
//
// Runs long enough to be seen, then loads the library given and spends its time there.

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static volatile unsigned long sink;

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

__attribute__((noinline)) void before_library(double until) {
  while (seconds() < until)
    for (int i = 0; i < 100000; i++)
      sink = sink * 31 + i;
}

int main(int argc, char **argv) {
  if (argc != 3)
    return 2;
  before_library(0.5);
  void *library = dlopen(argv[1], RTLD_NOW);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  void (*spin)(double) = (void (*)(double))dlsym(library, "spin_in_library");
  spin(atof(argv[2]));
  return 0;
}
