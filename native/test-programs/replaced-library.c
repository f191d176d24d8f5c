// SPDX-License-Identifier: Apache-2.0
//
// Opens two libraries in turn, closing each before the next, so that one lies where the other was; works in each for a
// while, and prints how often both had the same address.
//
//   replaced-library ROUNDS LIBRARY LIBRARY

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void *work_in(const char *path) {
  void *library = dlopen(path, RTLD_NOW);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
  unsigned long (*work)(unsigned long) = (unsigned long (*)(unsigned long))dlsym(library, "work");
  struct timespec begin, now;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  do {
    work(100000);
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < 100);
  dlclose(library);
  return (void *)work;
}

int main(int argc, char **argv) {
  int same = 0;
  int rounds = argc == 4 ? atoi(argv[1]) : 0;
  for (int round = 0; round < rounds; round++)
    same += work_in(argv[2]) == work_in(argv[3]);
  printf("%d\n", same);
  return 0;
}
