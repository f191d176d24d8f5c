// SPDX-License-Identifier: Apache-2.0
//
// Spends 70, 20 and 10 % of its CPU time in three functions, for as many seconds as the argument says.
// With -n N it does so in N children, one after the other, which never exec.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long sink;

static long cpu_nanos(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * 1000000000L + now.tv_nsec;
}

#define SPINNER(name)                                                                                          \
  __attribute__((noinline)) void name(long nanos) {                                                            \
    long end = cpu_nanos() + nanos;                                                                            \
    do                                                                                                         \
      for (int i = 0; i < 200000; i++)                                                                         \
        sink = sink * 31 + i;                                                                                  \
    while (cpu_nanos() < end);                                                                                 \
  }

SPINNER(spin_seventy)
SPINNER(spin_twenty)
SPINNER(spin_ten)

static void spin(double seconds) {
  long end = cpu_nanos() + (long)(seconds * 1e9);
  while (cpu_nanos() < end) {
    spin_seventy(7000000);
    spin_twenty(2000000);
    spin_ten(1000000);
  }
}

int main(int argc, char **argv) {
  if (argc == 4 && strcmp(argv[1], "-n") == 0) {
    for (int i = 0; i < atoi(argv[2]); i++) {
      if (fork() == 0) {
        spin(atof(argv[3]));
        _exit(0);
      }
      wait(NULL);
    }
    return 0;
  }
  spin(argc > 1 ? atof(argv[1]) : 1);
  return 0;
}
