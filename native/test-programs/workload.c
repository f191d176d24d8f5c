// SPDX-License-Identifier: Apache-2.0
//
// What the tests sample: each mode does one thing that a test wants to see, and prints the CPU time it took.
// Compiled by the tests with frame pointers.

#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double cpu_millis(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

__attribute__((noinline)) static void burn(double millis) {
  volatile unsigned long sink = 0;
  for (double end = cpu_millis(CLOCK_THREAD_CPUTIME_ID) + millis; cpu_millis(CLOCK_THREAD_CPUTIME_ID) < end;)
    for (int i = 0; i < 100000; i++)
      sink += i;
}

__attribute__((noinline)) static void call_system(double millis) {
  static char buffer[1 << 20];
  int zero = open("/dev/zero", O_RDONLY);
  for (double end = cpu_millis(CLOCK_THREAD_CPUTIME_ID) + millis; cpu_millis(CLOCK_THREAD_CPUTIME_ID) < end;)
    for (int i = 0; i < 20; i++)
      if (read(zero, buffer, sizeof(buffer)) < 0)
        exit(1);
  close(zero);
}

__attribute__((noinline)) static int recurse(int depth, double millis) {
  if (depth == 0) {
    burn(millis);
    return 0;
  }
  return recurse(depth - 1, millis) + 1; // not a tail call
}

static void *burn_in_thread(void *millis) {
  prctl(PR_SET_NAME, "second");
  burn(*(double *)millis);
  exit(0);
}

int main(int argc, char **argv) {
  if (argc < 3)
    return 2;
  const char *mode = argv[1];
  double millis = atof(argv[2]);
  if (!strcmp(mode, "burn")) {
    burn(millis);
  } else if (!strcmp(mode, "system")) {
    call_system(millis);
  } else if (!strcmp(mode, "recurse") && argc > 3) {
    recurse(atoi(argv[3]), millis);
  } else if (!strcmp(mode, "grandchild")) {
    // Sleeps itself; only its child's child burns.
    pid_t child = fork();
    if (child == 0) {
      if (fork() == 0)
        burn(millis);
      else
        wait(NULL);
      _exit(0);
    }
    wait(NULL);
  } else if (!strcmp(mode, "exec")) {
    burn(millis);
    execl("/proc/self/exe", "renamed", "burn", argv[2], (char *)NULL);
    return 1;
  } else if (!strcmp(mode, "map")) {
    burn(millis);
    int self = open("/proc/self/exe", O_RDONLY);
    if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, self, 0) == MAP_FAILED)
      return 1;
    burn(millis);
  } else if (!strcmp(mode, "mappings") && argc > 3) {
    // Neighbours of the same file at the same offset are not merged.
    int self = open("/proc/self/exe", O_RDONLY);
    for (int i = atoi(argv[3]); i > 0; i--)
      if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, self, 0) == MAP_FAILED)
        return 1;
    burn(millis);
  } else if (!strcmp(mode, "leaderless")) {
    pthread_t thread;
    pthread_create(&thread, NULL, burn_in_thread, &millis);
    syscall(SYS_exit, 0); // the leader alone
  } else {
    return 2;
  }
  printf("%f\n", cpu_millis(CLOCK_PROCESS_CPUTIME_ID));
  return 0;
}
